"""Web Push: a message encrypted for one browser, and who may send it there (RFC 8030, 8291, 8292; ADR 15)."""

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from py_vapid import Vapid
from pywebpush import WebPusher

from processors.outgoing import Outgoing, Undelivered
from schemas import canonical_json, compact
from schemas.events import Payload

if TYPE_CHECKING:
    from collections.abc import Mapping

GONE: Final = (404, 410)
_SIGNED_FOR: Final = timedelta(hours=12)


class VapidKey(NamedTuple):
    """Who sends: the private key (32 bytes, base64url), and how a push service reaches its operator."""

    private: str
    subject: str


class Urgency(NamedTuple):
    """How long a push service keeps a message for a device that is off, and whether it wakes one that sleeps."""

    ttl_s: int
    urgency: str


async def send(
    outgoing: Outgoing, key: VapidKey, endpoint: str, keys: Payload, message: Payload, how: Urgency, now: datetime
) -> int:
    """The status, which is a 2xx. Raises Undelivered; with one of GONE nobody is there any more."""
    body = _encrypted(endpoint, keys, message)
    headers = {
        "content-encoding": "aes128gcm",
        "ttl": str(how.ttl_s),
        "urgency": how.urgency,
        "topic": _topic(message),
        **_authorization(key, endpoint, now),
    }
    status = await outgoing.post(endpoint, headers, body)
    if not 200 <= status < 300:
        raise Undelivered(f"answered {status}", status)
    return status


def _encrypted(endpoint: str, keys: Payload, message: Payload) -> bytes:
    try:
        body: bytes = WebPusher({"endpoint": endpoint, "keys": keys}).encode(canonical_json.encode(message))["body"]
    except ValueError as error:
        raise Undelivered("its keys are no keys of a browser") from error
    return body


def _authorization(key: VapidKey, endpoint: str, now: datetime) -> "Mapping[str, str]":
    claims: dict[str, Any] = {
        "aud": "{0.scheme}://{0.netloc}".format(urlsplit(endpoint)),
        "sub": key.subject,
        "exp": int((now + _SIGNED_FOR).timestamp()),
    }
    signed: Mapping[str, str] = Vapid.from_string(key.private).sign(claims)
    return signed


def _topic(message: Payload) -> str:
    """A later message about the same replaces one that was not fetched yet (RFC 8030 §5.4)."""
    about = message["notification"]["notification_id"]
    return compact.encode(hashlib.sha256(about.encode()).digest())[:32]
