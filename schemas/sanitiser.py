"""Redaction of secrets and personal details in stored payloads (runtime §5.7, DEC-14, DEC-48, SD-11)."""

import functools
import re
from typing import Any, Final

SECRET: Final = "[REDACTED]"
EMAIL: Final = "[REDACTED_EMAIL]"
PHONE: Final = "[REDACTED_PHONE]"

_BY_KEY: Final = {
    **dict.fromkeys(
        (
            *("authorization", "proxy_authorization", "cookie", "set_cookie", "password", "passphrase", "secret"),
            *("api_key", "admin_key", "apikey", "x_api_key", "access_token", "refresh_token", "token"),
            *("client_secret", "private_key", "ssn", "address", "street", "postal_code", "zip"),
        ),
        SECRET,
    ),
    **dict.fromkeys(("email", "e_mail"), EMAIL),
    **dict.fromkeys(("phone", "phone_number"), PHONE),
}
_SECRET_SUFFIXES: Final = ("_token", "_secret", "_password", "_api_key", "_apikey", "_admin_key")

# identifiers, sequence numbers and timestamps that clients correlate on are never rewritten (DEC-14)
_OPERATIONAL_KEYS: Final = frozenset(
    ("id", "status", "reason", "seq", "cursor", "watermark", "method", "source", "traceparent", "tracestate", "uuid")
)
_OPERATIONAL_SUFFIXES: Final = ("_id", "_at", "_seq", "Id", "At", "Seq")

_SUSPICIOUS: Final = re.compile(r"@|sk-|(?i:bearer)|\d[\d\s()-]{6}|[\w-]{10}\.[\w-]{10}")
_BEARER: Final = re.compile(r"\bBearer\s+[^\s\"',;]+", re.IGNORECASE)
_SECRET_KEY: Final = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")

# A match begins where a run of its characters begins, or else is short: trying every character of a long run costs the
# square of its length, an hour for the largest payload.
_JWT: Final = re.compile(r"(?<![\w-])[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")
_ADDRESS: Final = re.compile(
    r"(?:(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+|[A-Za-z0-9._%+-]{1,64})@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
)
_NUMBER: Final = re.compile(
    r"""(?P<kept>\d{4}-\d\d-\d\d(?:[T\s]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?      # ISO 8601
            |[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}                                # UUID
            |(?<![\w+(])\d+(?![\w\s()-]))                                                        # bare digits
        |(?<![\w-])\+?\d[\d\s()-]{7,}\d(?!\w)""",
    re.VERBOSE,
)


def sanitise(value: Any) -> Any:
    """A copy with secrets, e-mail addresses and phone numbers replaced; a redacted key replaces its whole value."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {key: _field(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [sanitise(item) for item in value]
    return value


def _field(key: str, value: Any) -> Any:
    replacement, is_operational = _rule(key)
    if replacement is not None:
        return replacement
    return value if is_operational and isinstance(value, str) else sanitise(value)


@functools.lru_cache(4096)
def _rule(key: str) -> tuple[str | None, bool]:
    """What a field's value is replaced by, if it is; and whether a text in it is left alone."""
    name = key.strip().lower().replace("-", "_")
    replacement = SECRET if name.endswith(_SECRET_SUFFIXES) else _BY_KEY.get(name)
    return replacement, name in _OPERATIONAL_KEYS or key.endswith(_OPERATIONAL_SUFFIXES)


def _text(text: str) -> str:
    if not _SUSPICIOUS.search(text):
        return text
    text = _BEARER.sub(f"Bearer {SECRET}", text)
    text = _SECRET_KEY.sub(SECRET, text)
    text = _JWT.sub(SECRET, text)
    text = _ADDRESS.sub(EMAIL, text) if "@" in text else text
    return _NUMBER.sub(_phone, text)


def _phone(match: re.Match[str]) -> str:
    found = match[0]
    return found if match["kept"] is not None or found.isdigit() else PHONE
