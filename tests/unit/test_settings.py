"""Settings: where a value comes from, and that the defaults are the rooms' own."""

import dataclasses
import re
from pathlib import Path

import pytest

from edge.app import EdgeSettings
from edge.auth.request_token import RequestTokenSettings
from edge.auth.services import AuthSettings
from edge.auth.sign_in import LocalSignIn
from edge.auth.sync_tokens import KhalaTokenSettings, SyncTokenSettings
from edge.outlets import OutletSettings
from ops import settings
from ops.serving.edge import edge_settings, smtp_settings
from ops.serving.processors import processor_settings
from ops.serving.relay import relay_settings
from ops.settings import SETTINGS, Settings, SettingsError
from producers.relay.settings import RelaySettings

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bOA_[A-Z0-9_]*[A-Z0-9]\b")


def read(tmp_path: Path, **environment: str) -> Settings:
    return settings.read(environment, tmp_path)


def test_the_environment_wins_over_secrets_env_and_that_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text("OA_REDIS_URL=redis://kept\nOA_RELEASE=kept\n")
    values = read(tmp_path, OA_RELEASE="given").values
    assert (values.value("OA_RELEASE").text, values.value("OA_RELEASE").source) == ("given", "environment")
    assert (values.value("OA_REDIS_URL").text, values.value("OA_REDIS_URL").source) == ("redis://kept", "secrets.env")
    assert (values.value("OA_LOG_LEVEL").text, values.value("OA_LOG_LEVEL").source) == ("info", "default")


def test_names_are_unique_and_explained() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert all(setting.meaning for setting in SETTINGS)


def test_every_name_in_the_code_is_listed() -> None:
    rooms = [
        path
        for room in ("edge", "ops", "processors", "producers", "readmodels")
        for path in ROOT.glob(f"{room}/**/*.py")
    ]
    named = {name for path in rooms for name in NAME.findall(path.read_text())}
    assert len(named) > 40
    assert named <= {setting.name for setting in SETTINGS}


def test_a_misspelt_name_is_found(tmp_path: Path) -> None:
    assert read(tmp_path, OA_PROFIL="local", HOME="/x").values.unknown() == ["OA_PROFIL"]


def test_production_is_the_default_and_has_neither_dev_pages_nor_secrets(tmp_path: Path) -> None:
    told = edge_settings(read(tmp_path))
    assert not told.dev_pages
    assert told.sync.public_host == "127.0.0.1:8750"
    assert (told.auth.sync_token.signing_key, told.auth.request_token.signing_key) == ("", "")


def test_the_local_profile_has_dev_pages_and_any_origin(tmp_path: Path) -> None:
    told = edge_settings(read(tmp_path, OA_PROFILE="local"))
    assert told.dev_pages
    assert told.sync.public_host is None


def test_the_edges_defaults_are_those_it_declares(tmp_path: Path) -> None:
    issuer = "http://127.0.0.1:8750"
    told = edge_settings(read(tmp_path, OA_PROFILE="local"))
    auth = AuthSettings(
        SyncTokenSettings(issuer), KhalaTokenSettings(issuer), RequestTokenSettings(""), told.auth.session
    )
    outlets = OutletSettings(private_addresses=True)
    assert told == EdgeSettings(auth=auth, dev_pages=True, outlets=outlets, admin_emails=("you@example.test",))


def test_only_the_local_profile_has_a_link_that_signs_in(tmp_path: Path) -> None:
    key = {"OA_LOCAL_SIGN_IN_KEY": "k"}
    assert edge_settings(read(tmp_path, **key)).local_sign_in is None
    assert edge_settings(read(tmp_path, OA_PROFILE="local")).local_sign_in is None
    assert edge_settings(read(tmp_path, OA_PROFILE="local", **key)).local_sign_in == LocalSignIn(
        "you@example.test", "k"
    )


def test_operators_are_named_and_in_the_local_profile_its_own_account_is_one(tmp_path: Path) -> None:
    named = {"ADMIN_EMAILS": "ada@lane.test, bob@lane.test"}
    assert edge_settings(read(tmp_path)).admin_emails == ()
    assert edge_settings(read(tmp_path, OA_PROFILE="local", **named)).admin_emails == ("ada@lane.test", "bob@lane.test")


def test_the_relays_defaults_are_those_it_declares(tmp_path: Path) -> None:
    told = relay_settings(read(tmp_path, OA_DATABASE_URL="postgresql://x", OA_KAFKA_BOOTSTRAP="k:1").values)
    assert told == RelaySettings("postgresql://x", "k:1")


def test_processors_read_the_relays_topics(tmp_path: Path) -> None:
    told = read(tmp_path, OA_DATABASE_URL="x", OA_KAFKA_BOOTSTRAP="k:1", OA_KAFKA_TOPIC_PREFIX="blue.")
    assert processor_settings(told).topic_prefix == relay_settings(told.values).topic_prefix == "blue."


def test_token_settings_follow_the_contracts_names(tmp_path: Path) -> None:
    given = {
        "OA_SYNC_TOKEN_TTL_SECONDS": "120",
        "OA_SYNC_TOKEN_ALLOWED_SCOPES": "a, b",
        "OA_SYNC_TOKEN_ENABLED": "false",
    }
    told = edge_settings(read(tmp_path, APP_URL="https://x.test", **given)).auth.sync_token
    assert (told.issuer, told.ttl_s, told.allowed_scopes, told.enabled) == ("https://x.test", 120, ("a", "b"), False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OA_EDGE_PORT", "http"),
        ("OA_EDGE_PORT", "0"),
        ("OA_MAINTENANCE", "perhaps"),
        ("OA_RUNTIME_TOKEN_MAX_LIFETIME_SECONDS", "299"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        edge_settings(read(tmp_path, **{name: value}))


def test_what_is_missing_is_named_together_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="OA_DATABASE_URL is not set: start the local stack with `oa up`"):
        _ = read(tmp_path).database
    with pytest.raises(SettingsError, match="OA_SMTP_HOST"):
        smtp_settings(read(tmp_path).values)


def test_every_token_setting_of_the_contract_has_a_field(tmp_path: Path) -> None:
    fields = len(dataclasses.fields(SyncTokenSettings))
    assert sum(setting.name.startswith("OA_SYNC_TOKEN_") for setting in SETTINGS) == fields


def test_secrets_are_recognised() -> None:
    secret = {setting.name for setting in SETTINGS if setting.secret}
    assert {"OA_DATABASE_URL", "OA_LOCAL_TOKEN", "OA_RUNTIME_SIGNING_KEY", "OA_SMTP_PASSWORD"} <= secret
    assert "OA_SYNC_TOKEN_KEY_ID" not in secret
