"""The request token of the signed API: order of checks, vectors, bindings (runtime §2.2, edge §7)."""

import hashlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from edge.auth.request_token import Claims, Context, RequestTokenSettings, sign, verify
from edge.errors import Denied, Unauthenticated
from schemas import compact

KEY = "contract-demo-secret"
SETTINGS = RequestTokenSettings(KEY)
NOW = 1_767_225_600
CLAIMS = Claims(iat=NOW, exp=NOW + 60, nonce="n-1", user_id=7)


def signed(claims: Any, key: str = KEY) -> str:
    part = compact.encode_json(claims)
    return f"v1.{part}.{compact.signature(key.encode(), part)}"


def with_claims(**changes: Any) -> str:
    return signed({**msgspec.to_builtins(CLAIMS), **changes})


def test_the_runtimes_worked_example_is_accepted() -> None:
    token = (
        "v1.eyJpYXQiOjE3NjcyMjU2MDAsImV4cCI6MTc2NzIyNTY2MCwibm9uY2UiOiJuLTAwMDEiLCJydW5faWQiOiJydW5fZGVtbyIsInRocmVhZF9p"
        "ZCI6InRocl9kZW1vIiwidXNlcl9pZCI6N30.2RRJ22RxU-bkpeBC_Pa4qGPhtbdjS4brZILz5EURgJs"
    )
    claims = verify(token, Context(user_id=7, run_id="run_demo", thread_id="thr_demo"), SETTINGS, NOW)
    assert (claims.nonce, claims.user_id) == ("n-0001", 7)


def test_signing_makes_the_edges_worked_example() -> None:
    claims = Claims(iat=1772000000, exp=1772000060, nonce="nonce-2f6f1c1e-0b1d-4c55-9a55-6f0d7d3f9a10", user_id=318)
    assert sign(claims, "edge-demo-runtime-key") == (
        "v1.eyJpYXQiOjE3NzIwMDAwMDAsImV4cCI6MTc3MjAwMDA2MCwibm9uY2UiOiJub25jZS0yZjZmMWMxZS0wYjFkLTRjNTUtOWE1NS02ZjBkN2Qz"
        "ZjlhMTAiLCJ1c2VyX2lkIjozMTh9.-25UizsB2hYwJEBIZhISk73sAM-8kbiJwf6Qf9i2wqI"
    )


def test_padding_is_tolerated() -> None:
    version, part, signature = sign(CLAIMS, KEY).split(".")
    padded = part + "=" * (-len(part) % 4)
    token = f"{version}.{padded}.{compact.signature(KEY.encode(), padded)}="
    assert verify(token, Context(user_id=7), SETTINGS, NOW) == CLAIMS
    assert signature


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "v1",
        "v1.e30",
        "v1.!!.!!",
        "v1.é.é",
        sign(CLAIMS, KEY).replace("v1.", "v2.", 1),
        sign(CLAIMS, KEY) + ".more",
        sign(CLAIMS, "another-key"),
        signed([1]),
        signed("text"),
        signed(msgspec.Raw(b"{not json")),
        with_claims(iat=float(NOW)),
        with_claims(iat=True),
        with_claims(iat=str(NOW)),
        with_claims(nonce=""),
        with_claims(nonce=5),
        with_claims(user_id="7"),
        with_claims(run_id=5),
        with_claims(iat=NOW + 31, exp=NOW + 90),
        with_claims(exp=NOW),
        with_claims(iat=NOW + 20, exp=NOW + 20),
        signed({"exp": NOW + 60, "nonce": "n"}),
        signed({"iat": NOW, "nonce": "n"}),
        signed({"iat": NOW, "exp": NOW + 60}),
    ],
)
def test_a_token_that_is_not_genuine_and_current_is_unauthorized(token: str | None) -> None:
    with pytest.raises(Unauthenticated):
        verify(token, Context(user_id=7), SETTINGS, NOW)


def test_an_empty_signing_key_accepts_nothing() -> None:
    with pytest.raises(Unauthenticated):
        verify(sign(CLAIMS, ""), Context(), RequestTokenSettings(""), NOW)


@pytest.mark.parametrize(("iat", "exp"), [(NOW + 30, NOW + 90), (NOW - 500, NOW + 1), (NOW, NOW + 10**9), (0, 2**70)])
def test_skew_is_30_seconds_and_lifetime_is_not_limited(iat: int, exp: int) -> None:
    assert verify(with_claims(iat=iat, exp=exp), Context(), SETTINGS, NOW).exp == exp


def test_a_configured_maximum_lifetime_is_kept() -> None:
    """DEC-5."""
    settings = replace(SETTINGS, max_lifetime_s=300)
    assert verify(with_claims(exp=NOW + 300), Context(), settings, NOW)
    with pytest.raises(Unauthenticated, match="300"):
        verify(with_claims(exp=NOW + 301), Context(), settings, NOW)


@pytest.mark.parametrize(
    "context",
    [
        Context(user_id=8),
        Context(user_id=7, guest_scope="g"),
        Context(user_id=7, run_id="r"),
        Context(user_id=7, thread_id="t"),
    ],
)
def test_what_the_request_says_and_the_token_does_not_is_forbidden(context: Context) -> None:
    with pytest.raises(Denied):
        verify(sign(CLAIMS, KEY), context, SETTINGS, NOW)


def test_what_the_token_says_and_the_request_does_not_is_no_mismatch() -> None:
    assert verify(with_claims(run_id="r", thread_id="t", extra=[1]), Context(), SETTINGS, NOW).run_id == "r"


def test_a_worker_id_is_checked_when_the_token_has_one() -> None:
    """DEC-7."""
    token = with_claims(worker_id="w-1")
    assert verify(token, Context(worker_id="w-1"), SETTINGS, NOW)
    with pytest.raises(Denied):
        verify(token, Context(worker_id="w-2"), SETTINGS, NOW)
    assert verify(sign(CLAIMS, KEY), Context(worker_id="w-2"), SETTINGS, NOW)


def test_the_signature_is_judged_before_the_bindings() -> None:
    with pytest.raises(Unauthenticated):
        verify(sign(CLAIMS, "another-key"), Context(user_id=8), SETTINGS, NOW)


@pytest.mark.parametrize(("body", "hashed", "good"), [(b"{}", b"{}", True), (b"", b"[]", True), (b"{}", b"[]", False)])
def test_the_body_hash_is_verified_only_when_wanted(body: bytes, hashed: bytes, good: bool) -> None:
    """DEC-6."""
    context = Context(body=body, body_hash=hashlib.sha256(hashed).hexdigest())
    assert verify(sign(CLAIMS, KEY), context, SETTINGS, NOW)
    strict = replace(SETTINGS, verify_body_hash=True)
    if good:
        assert verify(sign(CLAIMS, KEY), context, strict, NOW)
    else:
        with pytest.raises(Unauthenticated):
            verify(sign(CLAIMS, KEY), context, strict, NOW)
