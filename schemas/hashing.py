"""SHA-256 over canonical JSON, in the three forms the contracts use."""

import base64
import hashlib
from typing import Any

from schemas import canonical_json


def digest(value: Any) -> bytes:
    """The 32 raw bytes; what an event keeps of its payload (DESIGN §4)."""
    return digest_bytes(canonical_json.encode(value))


def digest_bytes(canonical: bytes) -> bytes:
    """The same for bytes that are canonical already."""
    return hashlib.sha256(canonical).digest()


def hex_digest(value: Any) -> str:
    """H(x) of runtime §0.4: 64 lower-case hex characters, no prefix."""
    return digest(value).hex()


def wire_digest(value: Any) -> str:
    """`payload_hash` of a sync update: padded base64 of the raw digest (sync §13)."""
    return base64.b64encode(digest(value)).decode("ascii")
