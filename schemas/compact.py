"""Parts of compact signed tokens: base64url without padding, JSON, HMAC-SHA256."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(part: str) -> bytes:
    """Padding is optional; raises ValueError for anything outside the alphabet."""
    unpadded = part.rstrip("=")
    try:
        return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def encode_json(value: Any) -> str:
    """Keys in the order given."""
    return encode(msgspec.json.encode(value))


def signature(key: bytes, signed_part: str) -> str:
    """Over the ASCII bytes exactly as sent."""
    return encode(hmac.digest(key, signed_part.encode("ascii"), hashlib.sha256))


def is_signed(key: bytes, signed_part: str, sent_signature: str) -> bool:
    """In constant time; an empty key signs nothing. Raises ValueError for what is not base64url or ASCII."""
    expected = hmac.digest(key, signed_part.encode("ascii"), hashlib.sha256)
    return bool(key) and hmac.compare_digest(expected, decode(sent_signature))
