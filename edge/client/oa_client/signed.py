"""What a service shows the signed API: a token for each call, made with the secret it shares (runtime §2.2, §2.3)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from oa_client.errors import NotSignedIn

_LIFETIME_S = 60
_BOUND = ("run_id", "thread_id")


@dataclass(frozen=True)
class Signed:
    """The shared secret, and for whom its holder asks: a user or a guest."""

    secret: str = field(repr=False)
    user_id: int | None = None
    guest_scope: str | None = None

    def __post_init__(self) -> None:
        if not self.secret:
            raise NotSignedIn("the shared secret is empty")
        if (self.user_id is None) == (self.guest_scope is None):
            raise NotSignedIn("a service asks for a user or for a guest: user_id or guest_scope")

    @classmethod
    def from_file(cls, path: Path, *, user_id: int | None = None, guest_scope: str | None = None) -> Self:
        """The secret is all that the file has, but for space around it."""
        return cls(path.read_text(encoding="utf-8").strip(), user_id, guest_scope)

    def headers(self, request: Mapping[str, Any]) -> dict[str, str]:
        """For one call; `request` has what it says on its path, in its query and at the top of its body."""
        return self.headers_of(request, int(time.time()), secrets.token_urlsafe(18))

    def headers_of(self, request: Mapping[str, Any], now: int, nonce: str) -> dict[str, str]:
        principal = {"user_id": self.user_id, "guest_scope": self.guest_scope}
        named = {name: request[name] for name in _BOUND if isinstance(request.get(name), str)}
        asked_for = {name: value for name, value in principal.items() if value is not None}
        claims = {"iat": now, "exp": now + _LIFETIME_S, "nonce": nonce, **named, **asked_for}
        return {"x-oa-runtime-signature": self._token(claims), **_principal(asked_for)}

    def _token(self, claims: Mapping[str, Any]) -> str:
        part = _base64(msgspec.json.encode(claims))
        return f"v1.{part}.{_base64(hmac.digest(self.secret.encode(), part.encode(), hashlib.sha256))}"


def _principal(asked_for: Mapping[str, Any]) -> dict[str, str]:
    return {f"x-oa-{name.replace('_', '-')}": str(value) for name, value in asked_for.items()}


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
