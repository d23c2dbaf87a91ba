"""The socket's check of its token: pure, in the contract's order (sync §4.1), for both mints (SD-10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edge.auth.sync_tokens import SyncTokenSettings
from schemas import compact, names

CLOCK_SKEW_S = 30


class InvalidToken(Exception):
    """The token opens no socket; the text is for our log, never for the caller (sync §4.3)."""


@dataclass(frozen=True)
class Profile:
    """One mint's keyring and expected values; an empty expectation is not checked."""

    keys: Mapping[str, bytes]
    issuer: str
    audience: str
    claims_version: str
    algorithms: tuple[str, ...] = ("HS256",)
    subject_prefix: str = "user"
    org_prefix: str = "user"

    @classmethod
    def of(cls, settings: SyncTokenSettings) -> "Profile":
        """Current and previous key of a mint; a key without id or text is none."""
        pairs = (
            (settings.key_id, settings.signing_key),
            (settings.previous_key_id, settings.previous_signing_key),
        )
        return cls(
            keys={key_id: key.encode() for key_id, key in pairs if key_id and key},
            issuer=settings.issuer,
            audience=settings.audience,
            claims_version=settings.claims_version,
            algorithms=settings.allowed_algorithms,
            subject_prefix=settings.subject_prefix,
            org_prefix=settings.org_prefix,
        )


@dataclass(frozen=True)
class SyncClaims:
    """`scopes` as granted, in order; `owner` is None when the token names nobody we know: it may see no rows.

    `issued_at` in unix seconds.
    """

    subject: str
    org_id: str
    owner: str | None
    scopes: tuple[str, ...]
    issued_at: int


def verify(token: str, profiles: Sequence[Profile], now: int) -> SyncClaims:
    """`now` in unix seconds. The profile is found by the key id; raises InvalidToken."""
    header, claims, signed_part, sent_signature = _split(token)
    key_id = header.get("kid")
    refusal = InvalidToken("no such key")
    for profile in profiles:
        if not (isinstance(key_id, str) and key_id in profile.keys):
            continue
        try:
            return _verify(header, claims, profile, profile.keys[key_id], signed_part, sent_signature, now)
        except InvalidToken as error:
            refusal = error
    raise refusal


def _split(token: str) -> tuple[dict[str, Any], dict[str, Any], str, str]:
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("not three parts")
    header, claims = _object(parts[0]), _object(parts[1])
    return header, claims, f"{parts[0]}.{parts[1]}", parts[2]


def _object(part: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(compact.decode(part), type=dict[str, Any])
    except (ValueError, RecursionError):
        raise InvalidToken("a part is not base64url of a JSON object") from None


def _verify(
    header: dict[str, Any],
    claims: dict[str, Any],
    profile: Profile,
    key: bytes,
    signed_part: str,
    sent_signature: str,
    now: int,
) -> SyncClaims:
    if header.get("alg") != "HS256" or "HS256" not in profile.algorithms:
        raise InvalidToken("the algorithm is not allowed")
    try:
        genuine = compact.is_signed(key, signed_part, sent_signature)
    except ValueError:
        genuine = False
    if not genuine:
        raise InvalidToken("the signature is wrong")
    subject, org_id, _ = (_text(claims, name) for name in ("sub", "oa_org_id", "jti"))
    scopes = _scopes(claims.get("oa_sync_scopes"))
    _check_times(claims, now)
    _check_expected(claims, profile)
    return SyncClaims(subject, org_id, _owner(subject, org_id, profile), scopes, _seconds(claims, "iat"))


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidToken(f"{name} is not a text")
    return value


def _seconds(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidToken(f"{name} is not an integer")
    return value


def _scopes(value: Any) -> tuple[str, ...]:
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    scopes = tuple(entry.strip() for entry in entries if isinstance(entry, str) and entry.strip())
    if not scopes:
        raise InvalidToken("no scopes")
    return scopes


def _check_times(claims: dict[str, Any], now: int) -> None:
    issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
    not_before = issued if claims.get("nbf") is None else _seconds(claims, "nbf")
    if expires <= now:
        raise InvalidToken("expired")
    if max(issued, not_before) > now + CLOCK_SKEW_S:
        raise InvalidToken("not yet valid")
    if expires <= issued:
        raise InvalidToken("expires before it is issued")


def _check_expected(claims: dict[str, Any], profile: Profile) -> None:
    expected = {"iss": profile.issuer, "aud": profile.audience, "oa_claims_version": profile.claims_version}
    for name, value in expected.items():
        sent = claims.get(name)
        if value and sent != value and not (isinstance(sent, list) and value in sent):
            raise InvalidToken(f"{name} is not ours")


def _owner(subject: str, org_id: str, profile: Profile) -> str | None:
    """Whose rows the socket sees: the organisation's user, else the subject's (sync §16)."""
    for value, prefix in ((org_id, profile.org_prefix), (subject, profile.subject_prefix)):
        kind, _, user_id = value.rpartition(":")
        if kind == prefix and user_id.isascii() and user_id.isdigit() and len(user_id) < 20:
            return names.user_owner(int(user_id))
    return None
