"""Minting tokens for the socket, and the socket's check of them (edge §2.4–2.5, sync §3–4)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from edge.auth.sync_claims import InvalidToken, Profile, verify
from edge.auth.sync_tokens import (
    InvalidScope,
    KhalaTokenSettings,
    SyncTokenSettings,
    Unavailable,
    granted_scopes,
    mint,
    normalised,
)
from schemas import compact

NOW = 1_772_000_000
AT = datetime.fromtimestamp(NOW, UTC)
KEY = "a-signing-key-that-is-long-enough-for-pyjwt"
SETTINGS = SyncTokenSettings(issuer="https://edge.example", signing_key=KEY)
PROFILES = [Profile.of(SETTINGS), Profile.of(KhalaTokenSettings(issuer="https://edge.example", signing_key="khala"))]
CLAIMS: dict[str, Any] = {
    "iss": "https://edge.example",
    "aud": "openagents-sync",
    "sub": "user:318",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 300,
    "jti": "0a1b2c3d4e5f60718293a4b5",
    "oa_user_id": 318,
    "oa_org_id": "user:318",
    "oa_sync_scopes": ["runtime.codex_worker_events"],
    "oa_claims_version": "oa_sync_claims_v1",
}
HEADER = {"alg": "HS256", "typ": "JWT", "kid": "sync-auth-v1"}


def token(header: dict[str, Any] | None = None, key: str = KEY, **changes: Any) -> str:
    """Signed as changed; a change to `...` removes the claim."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    part = f"{compact.encode_json(HEADER | (header or {}))}.{compact.encode_json(claims)}"
    return f"{part}.{compact.signature(key.encode(), part)}"


def test_the_contracts_worked_example_is_minted_byte_for_byte() -> None:
    settings = replace(SETTINGS, signing_key="edge-demo-sync-key")
    minted = mint(settings, 318, ["runtime.codex_worker_events"], AT, CLAIMS["jti"], {})
    assert minted.token.rpartition(".")[2] == "z1hiqNQZ0MpFDgcomXP0vYDNAhJd6idENNqJeiPuF4w"


def test_another_implementation_reads_what_we_mint() -> None:
    minted = mint(SETTINGS, 318, ["runtime.codex_worker_events"], AT, CLAIMS["jti"], {})
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    claims = jwt.decode(minted.token, KEY, ["HS256"], options, audience="openagents-sync", issuer=SETTINGS.issuer)
    assert claims == CLAIMS
    assert jwt.get_unverified_header(minted.token) == HEADER


def test_the_socket_reads_what_both_mints_make() -> None:
    khala = KhalaTokenSettings(issuer="https://edge.example", signing_key="khala")
    for settings in (SETTINGS, khala):
        minted = mint(settings, 318, ["runtime.notifications", "unknown"], AT, "ab", {"oa_role": "admin"})
        claims = verify(minted.token, PROFILES, NOW)
        assert (claims.owner, claims.scopes) == ("user:318", ("runtime.notifications", "unknown"))


def test_the_previous_key_is_accepted_and_never_signs() -> None:
    rotated = replace(
        SETTINGS, key_id="v2", signing_key="new", previous_key_id="sync-auth-v1", previous_signing_key=KEY
    )
    assert verify(token(), [Profile.of(rotated)], NOW).owner == "user:318"
    assert jwt.get_unverified_header(mint(rotated, 1, ["x"], AT, "ab", {}).token)["kid"] == "v2"


@pytest.mark.parametrize(
    ("scopes", "read"),
    [
        ([" a ", 5, "", None, "b", "a"], ("a", "b", "a")),
        ("a, b,,", ("a", "b")),
    ],
)
def test_scopes_may_be_a_list_or_a_comma_separated_text(scopes: Any, read: tuple[str, ...]) -> None:
    assert verify(token(oa_sync_scopes=scopes), PROFILES, NOW).scopes == read


@pytest.mark.parametrize(
    "accepted",
    [
        token(nbf=...),
        token(nbf=None),
        token(iat=NOW + 30, nbf=NOW + 30),
        token(iss=["elsewhere", "https://edge.example"]),
        token({"typ": "at+jwt"}),
        token(oa_user_id=...),
        token() + "=",
    ],
)
def test_what_the_contract_tolerates_is_tolerated(accepted: str) -> None:
    assert verify(accepted, PROFILES, NOW).subject == "user:318"


@pytest.mark.parametrize(
    "refused",
    [
        "",
        "a.b",
        "a.b.c.d",
        "!.!.!",
        token().partition(".")[0] + ".W10." + token().rpartition(".")[2],
        token({"alg": "none"}),
        token({"alg": "HS512"}),
        token({"alg": ""}),
        token({"kid": "unknown"}),
        token({"kid": ""}),
        token({"kid": ["sync-auth-v1"]}),
        token(key="another"),
        token()[:-3],
        token(iat=float(NOW)),
        token(exp=str(NOW + 300)),
        token(exp=...),
        token(exp=True),
        token(nbf=1.5),
        token(sub=""),
        token(sub=...),
        token(jti=5),
        token(oa_org_id=...),
        token(oa_sync_scopes=...),
        token(oa_sync_scopes=[]),
        token(oa_sync_scopes=["", 5]),
        token(oa_sync_scopes=" , "),
        token(oa_sync_scopes={"a": 1}),
        token(exp=NOW),
        token(iat=NOW + 31, nbf=NOW),
        token(nbf=NOW + 31),
        token(iat=NOW + 20, exp=NOW + 10),
        token(iss="https://elsewhere.example"),
        token(aud="openagents-khala"),
        token(aud=[]),
        token(oa_claims_version="oa_sync_claims_v2"),
    ],
)
def test_any_defect_opens_no_socket(refused: str) -> None:
    with pytest.raises(InvalidToken):
        verify(refused, PROFILES, NOW)


def test_one_mints_key_does_not_sign_for_the_other() -> None:
    with pytest.raises(InvalidToken):
        verify(token({"kid": "khala-auth-v1"}, key="khala"), PROFILES, NOW)
    with pytest.raises(InvalidToken):
        verify(token({"kid": "khala-auth-v1"}), PROFILES, NOW)


def test_without_expected_values_only_the_signature_and_the_times_count() -> None:
    lenient = Profile(keys={"sync-auth-v1": KEY.encode()}, issuer="", audience="", claims_version="")
    assert verify(token(iss="x", aud="y", oa_claims_version="z"), [lenient], NOW).owner == "user:318"


@pytest.mark.parametrize(
    ("subject", "org_id", "owner"),
    [("user:1", "user:2", "user:2"), ("user:1", "team:2", "user:1"), ("x", "y", None), ("user:-1", "user:1.5", None)],
)
def test_the_owner_is_the_organisations_user(subject: str, org_id: str, owner: str | None) -> None:
    assert verify(token(sub=subject, oa_org_id=org_id), PROFILES, NOW).owner == owner


def test_prefixes_are_configurable_on_both_sides() -> None:
    settings = replace(SETTINGS, subject_prefix="member", org_prefix="org:user")
    minted = mint(settings, 5, ["x"], AT, "ab", {})
    assert (minted.subject, minted.org_id) == ("member:5", "org:user:5")
    assert verify(minted.token, [Profile.of(settings)], NOW).owner == "user:5"


def test_scopes_are_trimmed_and_distinct_in_order() -> None:
    assert normalised([" b ", "a", "", "b", " "]) == ["b", "a"]


def test_nothing_asked_grants_the_default_or_everything_allowed() -> None:
    assert granted_scopes([" "], SETTINGS) == ["runtime.codex_worker_summaries"]
    assert granted_scopes([], replace(SETTINGS, default_scopes=())) == list(SETTINGS.allowed_scopes)
    with pytest.raises(Unavailable):
        granted_scopes([], replace(SETTINGS, default_scopes=(), allowed_scopes=()))


def test_a_scope_outside_the_list_is_refused() -> None:
    with pytest.raises(InvalidScope, match=r"runtime\.secrets"):
        granted_scopes(["runtime.notifications", "runtime.secrets"], SETTINGS)


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"signing_key": ""},
        {"issuer": ""},
        {"audience": ""},
        {"key_id": ""},
        {"claims_version": ""},
        {"ttl_s": 59},
        {"ttl_s": 901},
    ],
)
def test_a_mint_that_is_not_configured_mints_nothing(change: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        mint(replace(SETTINGS, **change), 1, ["x"], AT, "ab", {})


def test_the_khala_mint_does_without_a_key_id() -> None:
    settings = KhalaTokenSettings(issuer="https://edge.example", signing_key=KEY, key_id="")
    assert "kid" not in jwt.get_unverified_header(mint(settings, 1, ["x"], AT, "ab", {}).token)
