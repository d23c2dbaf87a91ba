"""The edge, with its pool, its mail and its counter of rate limits."""

from typing import Literal, TypeVar, cast
from urllib.parse import urlsplit

import asyncpg
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from redis.asyncio import Redis

from edge import app
from edge.app import EdgeSettings, Outside
from edge.auth.clock import system_clock
from edge.auth.mail import Mailer
from edge.auth.mail.mailbox import Mailbox
from edge.auth.mail.smtp import SmtpMailer, SmtpSettings
from edge.auth.rate_limits import Counter, MemoryCounter, RedisCounter, SpareCounter
from edge.auth.request_token import RequestTokenSettings
from edge.auth.services import AuthSettings
from edge.auth.sessions import LOOPBACK_HOSTS, SessionSettings
from edge.auth.sign_in import LocalSignIn
from edge.auth.sync_tokens import KhalaTokenSettings, SyncTokenSettings
from edge.outlets import OutletSettings
from edge.sync.settings import SyncSettings
from edge.workers import WorkerSettings
from ops.database import open_pool
from ops.operations import operations
from ops.serving.naming import this_process
from ops.settings import Settings, Values
from schemas import compact
from schemas.tracing import Spans

Tokens = TypeVar("Tokens", bound=SyncTokenSettings)


async def serve(settings: Settings, spans: Spans | None) -> None:
    database = settings.database
    told = edge_settings(settings)
    async with await open_pool(database.url, database.pool_size) as pool:
        outside = Outside(
            pool,
            _mailer(settings, pool),
            _counter(settings.values),
            spans=spans,
            operations=operations(pool, told.topic_prefix),
            process=this_process("edge"),
        )
        await app.serve(told, outside)


def _mailer(settings: Settings, pool: "asyncpg.Pool[asyncpg.Record]") -> Mailer:
    return Mailbox(pool, system_clock) if settings.local else SmtpMailer(smtp_settings(settings.values))


def _counter(values: Values) -> Counter:
    url = values.given("OA_REDIS_URL")
    return SpareCounter(RedisCounter(Redis.from_url(url)), MemoryCounter()) if url else MemoryCounter()


def edge_settings(settings: Settings) -> EdgeSettings:
    values = settings.values
    return EdgeSettings(
        auth=_auth(values),
        host=values.text("OA_EDGE_HOST"),
        port=values.number("OA_EDGE_PORT", least=1),
        release=values.text("OA_RELEASE"),
        trusted_proxies=values.listing("OA_TRUSTED_PROXIES"),
        maintenance=values.switch("OA_MAINTENANCE"),
        dev_pages=settings.local,
        admin_emails=_admin_emails(settings),
        local_sign_in=_local_sign_in(settings),
        topic_prefix=values.text("OA_KAFKA_TOPIC_PREFIX"),
        sync=_sync(values, public_host=None if settings.local else _app_host(values)),
        workers=WorkerSettings(values.duration("OA_WORKER_HEARTBEAT_STALE_SECONDS")),
        outlets=OutletSettings(
            push_key=push_key(values.text("OA_VAPID_PRIVATE_KEY")),
            answer_link_key=values.text("OA_ANSWER_LINK_KEY"),
            private_addresses=settings.local,
        ),
    )


def _admin_emails(settings: Settings) -> tuple[str, ...]:
    return settings.values.listing("ADMIN_EMAILS") or ((settings.local_email,) if settings.local else ())


def _local_sign_in(settings: Settings) -> LocalSignIn | None:
    key = settings.values.text("OA_LOCAL_SIGN_IN_KEY")
    return LocalSignIn(settings.local_email, key) if settings.local and key else None


def push_key(vapid_private_key: str) -> str:
    """What browsers know us by when they are pushed to: the public key, 65 bytes in base64url; "" without a key."""
    if not vapid_private_key:
        return ""
    scalar = int.from_bytes(compact.decode(vapid_private_key))
    public = ec.derive_private_key(scalar, ec.SECP256R1()).public_key()
    return compact.encode(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _app_host(values: Values) -> str:
    return urlsplit(values.text("APP_URL")).netloc


def _auth(values: Values) -> AuthSettings:
    return AuthSettings(
        sync_token=_tokens(SyncTokenSettings, "OA_SYNC_TOKEN_", values),
        khala_token=_tokens(KhalaTokenSettings, "OA_KHALA_TOKEN_", values),
        request_token=RequestTokenSettings(
            signing_key=values.text("OA_RUNTIME_SIGNING_KEY"),
            max_lifetime_s=values.optional_number("OA_RUNTIME_TOKEN_MAX_LIFETIME_SECONDS", least=300),
            verify_body_hash=values.switch("OA_RUNTIME_VERIFY_BODY_HASH"),
        ),
        session=SessionSettings(
            lifetime_minutes=values.number("SESSION_LIFETIME", least=1),
            domain=values.given("SESSION_DOMAIN"),
            first_party_hosts=values.listing("SANCTUM_STATEFUL_DOMAINS") or (*LOOPBACK_HOSTS, _app_host(values)),
        ),
    )


def _tokens(kind: type[Tokens], prefix: str, values: Values) -> Tokens:
    return kind(
        issuer=values.text(f"{prefix}ISSUER") or values.text("APP_URL"),
        signing_key=values.text(f"{prefix}SIGNING_KEY"),
        enabled=values.switch(f"{prefix}ENABLED"),
        audience=values.text(f"{prefix}AUDIENCE"),
        key_id=values.text(f"{prefix}KEY_ID"),
        ttl_s=values.number(f"{prefix}TTL_SECONDS"),
        min_ttl_s=values.number(f"{prefix}MIN_TTL_SECONDS"),
        max_ttl_s=values.number(f"{prefix}MAX_TTL_SECONDS"),
        subject_prefix=values.text(f"{prefix}SUBJECT_PREFIX"),
        org_prefix=values.text(f"{prefix}ORG_PREFIX"),
        claims_version=values.text(f"{prefix}CLAIMS_VERSION"),
        default_scopes=values.listing(f"{prefix}DEFAULT_SCOPES"),
        allowed_scopes=values.listing(f"{prefix}ALLOWED_SCOPES"),
        previous_key_id=values.text(f"{prefix}PREVIOUS_KEY_ID"),
        previous_signing_key=values.text(f"{prefix}PREVIOUS_SIGNING_KEY"),
        allowed_algorithms=values.listing(f"{prefix}ALLOWED_ALGS"),
    )


def _sync(values: Values, public_host: str | None) -> SyncSettings:
    return SyncSettings(
        public_host=public_host,
        replay_batch_rows=values.number("OA_SYNC_REPLAY_BATCH_ROWS", least=1),
        heartbeat_interval_s=float(values.number("OA_SYNC_HEARTBEAT_SECONDS", least=1)),
        heartbeat_timeout_s=float(values.number("OA_SYNC_HEARTBEAT_TIMEOUT_SECONDS", least=1)),
        horizon=values.duration("OA_SYNC_HORIZON_SECONDS"),
    )


def smtp_settings(values: Values) -> SmtpSettings:
    security = values.one_of("OA_SMTP_SECURITY", "none", "starttls", "tls")
    return SmtpSettings(
        host=values.required("OA_SMTP_HOST"),
        port=values.number("OA_SMTP_PORT", least=1),
        sender=values.required("OA_SMTP_SENDER"),
        username=values.given("OA_SMTP_USERNAME"),
        password=values.given("OA_SMTP_PASSWORD"),
        security=cast(Literal["none", "starttls", "tls"], security),
    )
