"""A push service and the browser behind it: takes what is pushed, reads it with keys of its own (RFC 8030, 8291)."""

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import http_ece
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ops.stack import ports
from tests.fake_edge import serving_app

VAPID_PRIVATE_KEY: Final = "YW5kIHRoaXMgaXMgdGhlIGtleSBvZiB0aGUgdGVzdHM"
"""32 bytes, as `secrets.env` has them."""


@dataclass
class Browser:
    """What a subscription is made of; only it can read what is sent there."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    read: list[dict[str, Any]] = field(default_factory=list)

    @property
    def keys(self) -> dict[str, str]:
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": encoded(point), "auth": encoded(self.secret)}

    async def receive(self, request: Request) -> Response:
        self.requests.append(dict(request.headers))
        body = await request.body()
        status = self.statuses.pop(0) if self.statuses else 201
        if status == 201:
            self.read.append(msgspec.json.decode(self.decrypted(body)))
        return Response(status_code=status)

    def decrypted(self, body: bytes) -> bytes:
        """With the browser's keys alone: aes128gcm as RFC 8188 has it, its key as RFC 8291."""
        return bytes(http_ece.decrypt(body, private_key=self.private, auth_secret=self.secret, version="aes128gcm"))


@asynccontextmanager
async def pushed_to() -> AsyncIterator[Browser]:
    browser = Browser()
    app = Starlette(routes=[Route("/push/{id}", browser.receive, methods=["POST"])])
    async with serving_app(app, ports.free()[0]) as url:
        browser.url = f"{url}/push/a"
        yield browser


def sender(authorization: str) -> tuple[str, dict[str, Any]]:
    """Whose key signed it, and what it says, verified by an independent reader (RFC 8292)."""
    scheme, _, told = authorization.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in told.split(","))
    assert scheme == "vapid"
    point = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    claims: dict[str, Any] = jwt.decode(parts["t"], key, ["ES256"], options={"verify_aud": False})
    return parts["k"], claims


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
