"""Every setting: its name, default and meaning; read once from the environment, handed down as typed parts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from ops.errors import OperatorError
from ops.stack import secrets
from schemas.names import SYNC_TOPICS, WORKER_SUMMARIES


class SettingsError(OperatorError):
    """A value that cannot be used; the text names the variable and what it has to be."""


@dataclass(frozen=True)
class Setting:
    name: str
    default: str
    meaning: str

    @property
    def secret(self) -> bool:
        return self.name.endswith(("_KEY", "_TOKEN", "_PASSWORD", "_DATABASE_URL", "_REDIS_URL"))


def _token_settings(prefix: str, name: str, key_id: str, default_scopes: str) -> list[Setting]:
    """Edge §6, sync §22: the same pattern for both kinds of token."""
    return [
        Setting(f"{prefix}ENABLED", "true", f"whether {name} tokens are given out"),
        Setting(f"{prefix}ISSUER", "", "empty: APP_URL"),
        Setting(f"{prefix}AUDIENCE", f"openagents-{name}", f"whom {name} tokens are for"),
        Setting(f"{prefix}SIGNING_KEY", "", f"signs and verifies {name} tokens; empty: none are given out"),
        Setting(f"{prefix}KEY_ID", key_id, "name of that key"),
        Setting(f"{prefix}PREVIOUS_SIGNING_KEY", "", "second key that is accepted (rotation)"),
        Setting(f"{prefix}PREVIOUS_KEY_ID", "", "name of that key"),
        Setting(f"{prefix}ALLOWED_ALGS", "HS256", "algorithms that are accepted"),
        Setting(f"{prefix}TTL_SECONDS", "300", f"how long a {name} token lives"),
        Setting(f"{prefix}MIN_TTL_SECONDS", "60", "the least that may be"),
        Setting(f"{prefix}MAX_TTL_SECONDS", "900", "the most that may be"),
        Setting(f"{prefix}SUBJECT_PREFIX", "user", "what stands before the user's id in `sub`"),
        Setting(f"{prefix}ORG_PREFIX", "user", "what stands before the user's id in `oa_org_id`"),
        Setting(f"{prefix}CLAIMS_VERSION", f"oa_{name}_claims_v1", "version of the claims"),
        Setting(f"{prefix}DEFAULT_SCOPES", default_scopes, "what a token may follow when nothing is asked for"),
        Setting(f"{prefix}ALLOWED_SCOPES", ",".join(SYNC_TOPICS), "what may be asked for"),
    ]


SETTINGS: Final = (
    Setting("OA_PROFILE", "production", "`local` adds the mailbox page and the local account; set by `oa up` only"),
    Setting("OA_DATA_DIR", ".oa", "folder of the local stack; its secrets.env is read for what the environment lacks"),
    Setting("OA_PORT", "8750", "first port of the local stack"),
    Setting("OA_CACHE_DIR", "", "what is fetched or made once for a user; empty: `oa` in the user's cache folder"),
    Setting("JAVA_HOME", "", "the Java that runs Kafka; empty: the one on the path"),
    Setting("OA_DATABASE_URL", "", "Postgres, as postgresql://user@host:port/name"),
    Setting("OA_DATABASE_POOL_SIZE", "4", "connections a process keeps at most; 2 is the least that works"),
    Setting("OA_LOG_FIRST_POSITION", "1", "where the positions of a new log begin"),
    Setting("OA_KAFKA_BOOTSTRAP", "", "Kafka's brokers, host:port, comma-separated"),
    Setting("OA_KAFKA_TOPIC_PREFIX", "", "stands before every topic, for several logs on one Kafka"),
    Setting("OA_KAFKA_PARTITIONS", "6", "partitions of a topic when it is made; fixed for its life"),
    Setting("OA_KAFKA_REPLICATION", "1", "copies of a topic when it is made"),
    Setting("OA_KAFKA_GROUP", "oa-processors", "consumer group of the processors"),
    Setting("OA_REDIS_URL", "", "Redis for rate limits and presence; empty: each process counts for itself"),
    Setting("OA_LOG_LEVEL", "info", "debug, info, warning or error"),
    Setting("OA_LOG_FORMAT", "json", "json or console"),
    Setting("OTEL_EXPORTER_OTLP_ENDPOINT", "", "collector that traces are sent to (OTLP over HTTP); empty: no traces"),
    Setting("OA_EDGE_HOST", "127.0.0.1", "address the edge listens on"),
    Setting("OA_EDGE_PORT", "8750", "port the edge listens on"),
    Setting("OA_RELAY_HEALTH_PORT", "8755", "loopback port of the relay's /livez, /readyz and /metrics"),
    Setting("OA_PROCESSORS_HEALTH_PORT", "8756", "loopback port of the processors' /livez, /readyz and /metrics"),
    Setting("OA_RELEASE", "dev", "what the edge calls this release"),
    Setting("OA_MAINTENANCE", "false", "whether the edge answers 503 to everybody"),
    Setting("OA_WORKER_HEARTBEAT_STALE_SECONDS", "120", "silence after which a worker counts as stale"),
    Setting("OA_SYNC_HEARTBEAT_SECONDS", "15", "pause between two heartbeats on the socket (sync §22)"),
    Setting("OA_SYNC_HEARTBEAT_TIMEOUT_SECONDS", "60", "silence after which a socket is closed (sync §22)"),
    Setting("OA_SYNC_REPLAY_BATCH_ROWS", "200", "rows of one replayed batch (sync §22)"),
    Setting("OA_SYNC_HORIZON_SECONDS", "86400", "how far back a cursor may lie (sync §22)"),
    Setting("OA_TRUSTED_PROXIES", "", "addresses or networks whose forwarded headers are believed (edge D9)"),
    Setting("APP_URL", "http://127.0.0.1:8750", "public address; default issuer of both kinds of token (edge §6)"),
    Setting("SESSION_LIFETIME", "120", "minutes a cookie session lives without use (edge §6)"),
    Setting("SESSION_DOMAIN", "", "domain of the session cookie (edge §6)"),
    Setting("SANCTUM_STATEFUL_DOMAINS", "", "first-party hosts; empty: loopback and the host of APP_URL (edge §6)"),
    Setting("ADMIN_EMAILS", "", "operators, comma-separated (edge §6); empty: in the local profile its own account"),
    Setting("OA_LOCAL_EMAIL", "you@example.test", "the local account"),
    Setting("OA_LOCAL_TOKEN", "", "personal token of the local account"),
    Setting("OA_LOCAL_SIGN_IN_KEY", "", "what the link that `oa up` prints signs in to the local account with"),
    Setting(
        "OA_URL", "", "where `oa say`, `oa tail` and `oa worker` find the edge; empty: the local stack, the last login"
    ),
    Setting("OA_TOKEN", "", "personal token they use; empty: the local account's, the last login's"),
    Setting("OA_CODEX_BIN", "", "the worker's Codex; empty: the one on the path, then the one `make codex` installed"),
    Setting("OA_CODEX_PACKAGE", "ops/codex", "where `make codex` installed it"),
    Setting("OA_STUB_URL", "", "model that stands in when Codex has no account"),
    *_token_settings("OA_SYNC_TOKEN_", "sync", "sync-auth-v1", WORKER_SUMMARIES),
    *_token_settings("OA_KHALA_TOKEN_", "khala", "khala-auth-v1", ",".join(SYNC_TOPICS)),
    Setting("OA_RUNTIME_SIGNING_KEY", "", "verifies the internal API's request tokens; empty: all are refused"),
    Setting("OA_RUNTIME_TOKEN_MAX_LIFETIME_SECONDS", "", "longest life of a request token; empty: any (DEC-6)"),
    Setting("OA_RUNTIME_VERIFY_BODY_HASH", "false", "whether a request's body has to match its hash (DEC-5)"),
    Setting("OA_ANSWER_LINK_KEY", "", "signs links that answer approvals; empty: notifications have none"),
    Setting("OA_VAPID_PRIVATE_KEY", "", "signs Web Push, 32 bytes in base64url; empty: nothing is pushed"),
    Setting("OA_VAPID_SUBJECT", "", "mailto: or https: at which push services reach us; empty: the sender of our mail"),
    Setting("OA_SMTP_HOST", "", "mail server; the local profile needs none"),
    Setting("OA_SMTP_PORT", "587", "its port"),
    Setting("OA_SMTP_SENDER", "", "address that mail comes from"),
    Setting("OA_SMTP_USERNAME", "", "account at the mail server; empty: none"),
    Setting("OA_SMTP_PASSWORD", "", "its password"),
    Setting("OA_SMTP_SECURITY", "starttls", "none, starttls or tls"),
)


@dataclass(frozen=True)
class Value:
    text: str
    source: str


@dataclass(frozen=True)
class Values:
    """What each setting is and where that comes from: the environment, `secrets.env`, or the default."""

    environment: Mapping[str, str]
    kept: Mapping[str, str]

    def value(self, name: str) -> Value:
        if name in self.environment:
            return Value(self.environment[name], "environment")
        if name in self.kept:
            return Value(self.kept[name], secrets.FILE_NAME)
        return Value(DEFAULTS[name], "default")

    def from_stack(self, name: str) -> bool:
        """Whether a local stack wrote it down."""
        return self.value(name).source == secrets.FILE_NAME

    def text(self, name: str) -> str:
        return self.value(name).text

    def given(self, name: str) -> str | None:
        """None when empty."""
        return self.text(name) or None

    def required(self, name: str) -> str:
        if not (text := self.text(name)):
            raise SettingsError(f"{name} is not set: start the local stack with `oa up`, or set it")
        return text

    def number(self, name: str, least: int = 0) -> int:
        text = self.text(name)
        if not text.isdecimal() or int(text) < least:
            raise SettingsError(f"{name} must be a whole number of at least {least}, not {text!r}")
        return int(text)

    def optional_number(self, name: str, least: int = 0) -> int | None:
        return self.number(name, least) if self.text(name) else None

    def duration(self, name: str) -> timedelta:
        """Of a setting in whole seconds."""
        return timedelta(seconds=self.number(name, least=1))

    def one_of(self, name: str, *allowed: str) -> str:
        if (text := self.text(name)) not in allowed:
            raise SettingsError(f"{name} must be one of {', '.join(allowed)}, not {text!r}")
        return text

    def switch(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in ("true", "false", "1", "0"):
            raise SettingsError(f"{name} must be true or false, not {text!r}")
        return text in ("true", "1")

    def listing(self, name: str) -> tuple[str, ...]:
        """The entries of a comma-separated list."""
        return tuple(entry.strip() for entry in self.text(name).split(",") if entry.strip())

    def unknown(self) -> list[str]:
        """Variables that look like ours and are not: most likely misspelt."""
        return sorted(name for name in self.environment if name.startswith("OA_") and name not in DEFAULTS)


DEFAULTS: Final = {setting.name: setting.default for setting in SETTINGS}


@dataclass(frozen=True)
class StackSettings:
    """The local stack; ports follow from the first one. It runs `each` of our processes so many times."""

    data: Path
    port: int
    cache: Path
    java_home: str | None
    first_position: int
    each: int = 1


@dataclass(frozen=True)
class DatabaseSettings:
    url: str
    pool_size: int
    first_position: int


@dataclass(frozen=True)
class LogSettings:
    level: str
    format: str


@dataclass(frozen=True)
class Settings:
    """What ops itself needs, in parts, each checked when asked for; the rooms' parts are made in `ops.serving`."""

    values: Values

    @property
    def local(self) -> bool:
        return self.values.text("OA_PROFILE") == "local"

    @property
    def stack(self) -> StackSettings:
        return StackSettings(
            data=Path(self.values.text("OA_DATA_DIR")).absolute(),
            port=self.values.number("OA_PORT", least=1),
            cache=self._cache,
            java_home=self.values.given("JAVA_HOME"),
            first_position=self._first_position,
        )

    @property
    def _cache(self) -> Path:
        if given := self.values.given("OA_CACHE_DIR"):
            return Path(given).absolute()
        user = self.values.environment.get("XDG_CACHE_HOME")
        return (Path(user) if user else Path.home() / ".cache") / "oa"

    @property
    def database(self) -> DatabaseSettings:
        return DatabaseSettings(
            url=self.values.required("OA_DATABASE_URL"),
            pool_size=self.values.number("OA_DATABASE_POOL_SIZE", least=2),
            first_position=self._first_position,
        )

    @property
    def _first_position(self) -> int:
        return self.values.number("OA_LOG_FIRST_POSITION", least=1)

    @property
    def local_email(self) -> str:
        return self.values.text("OA_LOCAL_EMAIL")

    @property
    def traces_endpoint(self) -> str | None:
        return self.values.given("OTEL_EXPORTER_OTLP_ENDPOINT")

    @property
    def log(self) -> LogSettings:
        return LogSettings(
            level=self.values.one_of("OA_LOG_LEVEL", "debug", "info", "warning", "error"),
            format=self.values.one_of("OA_LOG_FORMAT", "json", "console"),
        )


def of_this_process(data: Path | None = None, **given: str) -> Settings:
    """The settings of this process; `given` are those that its command line names."""
    return read({**os.environ, **given}, data)


def read(environment: Mapping[str, str], data: Path | None = None) -> Settings:
    """The settings of this process; `data` wins over `OA_DATA_DIR`."""
    given = dict(environment) if data is None else {**environment, "OA_DATA_DIR": str(data.absolute())}
    return Settings(Values(given, secrets.read(Path(given.get("OA_DATA_DIR") or DEFAULTS["OA_DATA_DIR"]))))
