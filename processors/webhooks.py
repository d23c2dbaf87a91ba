"""Webhooks: a message as a signed POST, by the scheme of Standard Webhooks (ADR 15)."""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final

from processors.outgoing import Outgoing, Undelivered
from schemas import canonical_json
from schemas.events import Payload

SECRET_PREFIX: Final = "whsec_"


def signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


async def send(outgoing: Outgoing, url: str, secret: str, message: Payload, now: datetime) -> int:
    """The status, which is a 2xx. Raises Undelivered."""
    body, timestamp_s = canonical_json.encode(message), int(now.timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": message["id"],
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature(secret, message["id"], timestamp_s, body),
    }
    status = await outgoing.post(url, headers, body)
    if not 200 <= status < 300:
        raise Undelivered("redirects are not followed" if 300 <= status < 400 else f"answered {status}", status)
    return status
