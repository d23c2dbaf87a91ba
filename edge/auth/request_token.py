"""The request token of the signed API, `X-OA-RUNTIME-SIGNATURE`: a pure check and its counterpart (runtime §2.2)."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec

from edge.errors import Denied, Unauthenticated
from schemas import compact

HEADER = "x-oa-runtime-signature"
BODY_HASH_HEADER = "x-oa-runtime-body-sha256"
CLOCK_SKEW_S = 30
_BOUND = ("run_id", "thread_id", "user_id", "guest_scope")


@dataclass(frozen=True)
class RequestTokenSettings:
    """An empty signing key refuses every call; a maximum lifetime is ≥ 300 s when set (DEC-5, DEC-6)."""

    signing_key: str
    max_lifetime_s: int | None = None
    verify_body_hash: bool = False


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    iat: int
    exp: int
    nonce: Annotated[str, msgspec.Meta(min_length=1)]
    user_id: int | None = None
    run_id: str | None = None
    thread_id: str | None = None
    guest_scope: str | None = None
    worker_id: str | None = None


class Context(NamedTuple):
    """What the request itself says; a value it has must be in the token too."""

    user_id: int | None = None
    guest_scope: str | None = None
    run_id: str | None = None
    thread_id: str | None = None
    worker_id: str | None = None
    body: bytes = b""
    body_hash: str | None = None


def verify(token: str | None, context: Context, settings: RequestTokenSettings, now: int) -> Claims:
    """Everything but the nonce, in the contract's order; `now` is unix seconds. Raises Unauthenticated, Denied."""
    claims = _read(token, settings.signing_key.encode())
    _check_times(claims, settings.max_lifetime_s, now)
    if settings.verify_body_hash and context.body_hash is not None:
        _check_body(context.body_hash, context.body)
    _check_context(claims, context)
    return claims


def sign(claims: Claims, signing_key: str) -> str:
    part = compact.encode_json(claims)
    return f"v1.{part}.{compact.signature(signing_key.encode(), part)}"


def _read(token: str | None, key: bytes) -> Claims:
    if not token:
        raise Unauthenticated("The request token is missing.")
    version, _, rest = token.partition(".")
    part, _, sent_signature = rest.partition(".")
    try:
        genuine = version == "v1" and compact.is_signed(key, part, sent_signature)
        claims = msgspec.json.decode(compact.decode(part), type=Claims)
    except ValueError:
        raise Unauthenticated("The request token is malformed.") from None
    if not genuine:
        raise Unauthenticated("The request token's signature is wrong.")
    return claims


def _check_times(claims: Claims, max_lifetime_s: int | None, now: int) -> None:
    if claims.iat > now + CLOCK_SKEW_S:
        raise Unauthenticated("The request token is from the future.")
    if claims.exp <= now or claims.exp <= claims.iat:
        raise Unauthenticated("The request token has expired.")
    if max_lifetime_s is not None and claims.exp - claims.iat > max_lifetime_s:
        raise Unauthenticated(f"The request token lives longer than {max_lifetime_s} seconds.")


def _check_body(sent_hash: str, body: bytes) -> None:
    """A call without a body may carry the hash of `[]` (edge §2.7)."""
    accepted = {hashlib.sha256(body).hexdigest()} | ({hashlib.sha256(b"[]").hexdigest()} if not body else set())
    if sent_hash not in accepted:
        raise Unauthenticated("The body is not the one whose hash was sent.")


def _check_context(claims: Claims, context: Context) -> None:
    for name in _BOUND:
        sent = getattr(context, name)
        if sent is not None and sent != getattr(claims, name):
            raise Denied(f"The request token is not for this {name}.")
    if claims.worker_id is not None and claims.worker_id != context.worker_id:
        raise Denied("The request token is not for this worker_id.")
