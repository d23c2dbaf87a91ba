"""Tokens for the sync socket: short-lived JWTs (HS256) whose scopes are sync topics (edge §2.4–2.5, sync §3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas import compact
from schemas.names import SYNC_TOPICS, WORKER_SUMMARIES
from schemas.times import iso_offset


@dataclass(frozen=True)
class SyncTokenSettings:
    """`OA_SYNC_TOKEN_*` (edge §6, sync §22); the previous key is accepted by the socket, never used for signing."""

    issuer: str
    signing_key: str = ""
    enabled: bool = True
    audience: str = "openagents-sync"
    key_id: str = "sync-auth-v1"
    ttl_s: int = 300
    min_ttl_s: int = 60
    max_ttl_s: int = 900
    subject_prefix: str = "user"
    org_prefix: str = "user"
    claims_version: str = "oa_sync_claims_v1"
    default_scopes: tuple[str, ...] = (WORKER_SUMMARIES,)
    allowed_scopes: tuple[str, ...] = SYNC_TOPICS
    previous_key_id: str = ""
    previous_signing_key: str = ""
    allowed_algorithms: tuple[str, ...] = ("HS256",)


@dataclass(frozen=True)
class KhalaTokenSettings(SyncTokenSettings):
    """`OA_KHALA_TOKEN_*`: the same pattern; the key id may be empty, though the socket then refuses the token."""

    audience: str = "openagents-khala"
    key_id: str = "khala-auth-v1"
    claims_version: str = "oa_khala_claims_v1"
    default_scopes: tuple[str, ...] = SYNC_TOPICS


class Unavailable(Exception):
    """Tokens cannot be minted as configured; the text says why."""


class InvalidScope(Exception):
    """A scope outside the allow-list."""


@dataclass(frozen=True)
class Minted:
    token: str
    issued_at: datetime
    expires_at: datetime
    subject: str
    org_id: str


def granted_scopes(asked: Sequence[str], settings: SyncTokenSettings) -> list[str]:
    """What was asked, or the default, or everything allowed (sync §3.1). Raises InvalidScope, Unavailable."""
    scopes = normalised(asked)
    if foreign := [scope for scope in scopes if scope not in settings.allowed_scopes]:
        raise InvalidScope(f"Not an allowed scope: {', '.join(foreign)}")
    granted = scopes or list(settings.default_scopes) or list(settings.allowed_scopes)
    if not granted:
        raise Unavailable("no scopes are configured")
    return granted


def normalised(asked: Iterable[str]) -> list[str]:
    """Trimmed, without blanks and duplicates, in order."""
    return list(dict.fromkeys(scope.strip() for scope in asked if scope.strip()))


def mint(
    settings: SyncTokenSettings, user_id: int, scopes: Sequence[str], now: datetime, jti: str, more: Mapping[str, Any]
) -> Minted:
    """`more` claims come last; `now` counts in whole seconds. Raises Unavailable."""
    _check(settings)
    issued_s = int(now.timestamp())
    subject, org_id = f"{settings.subject_prefix}:{user_id}", f"{settings.org_prefix}:{user_id}"
    claims = {
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": subject,
        "iat": issued_s,
        "nbf": issued_s,
        "exp": issued_s + settings.ttl_s,
        "jti": jti,
        "oa_user_id": user_id,
        "oa_org_id": org_id,
        "oa_sync_scopes": list(scopes),
        "oa_claims_version": settings.claims_version,
        **more,
    }
    issued_at, expires_at = (datetime.fromtimestamp(seconds, UTC) for seconds in (issued_s, issued_s + settings.ttl_s))
    return Minted(_jwt(claims, settings), issued_at, expires_at, subject, org_id)


def described(settings: SyncTokenSettings, minted: Minted) -> dict[str, Any]:
    """What both mints answer about a token."""
    return {
        "token": minted.token,
        "token_type": "Bearer",
        "expires_in": settings.ttl_s,
        "issued_at": iso_offset(minted.issued_at),
        "expires_at": iso_offset(minted.expires_at),
        "issuer": settings.issuer,
        "audience": settings.audience,
        "subject": minted.subject,
        "claims_version": settings.claims_version,
    }


def _check(settings: SyncTokenSettings) -> None:
    if not settings.enabled:
        raise Unavailable("switched off")
    needed = ["signing_key", "issuer", "audience", "claims_version", "subject_prefix", "org_prefix"]
    needed += [] if isinstance(settings, KhalaTokenSettings) else ["key_id"]
    if missing := [name for name in needed if not getattr(settings, name)]:
        raise Unavailable(f"not configured: {', '.join(missing)}")
    if not settings.min_ttl_s <= settings.ttl_s <= settings.max_ttl_s:
        raise Unavailable(f"the lifetime must lie within {settings.min_ttl_s} and {settings.max_ttl_s} seconds")


def _jwt(claims: Mapping[str, Any], settings: SyncTokenSettings) -> str:
    header = {"alg": "HS256", "typ": "JWT"} | ({"kid": settings.key_id} if settings.key_id else {})
    part = f"{compact.encode_json(header)}.{compact.encode_json(claims)}"
    return f"{part}.{compact.signature(settings.signing_key.encode(), part)}"
