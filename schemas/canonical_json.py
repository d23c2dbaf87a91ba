"""Canonical JSON: one byte sequence for equal values, under every hash and digest (runtime §0.4, sync §14.4)."""

import math
import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(order="sorted")
# What msgspec writes differently from the contract: \u00xx in lower case, floats in other notations. Matching too
# much (a string that looks like a float) only costs time; each pattern begins with a literal, which makes it fast.
_FLOAT_FIELD = re.compile(rb'":-?\d+(?:\.\d|e)')
_FLOAT_ITEM = re.compile(rb"[\[,]-?\d+(?:\.\d|e)")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_ESCAPED = re.compile(r'["\\\x00-\x1f]')


def encode(value: Any) -> bytes:
    """Canonical UTF-8 bytes of a JSON value; raises ValueError for NaN, infinities and lone surrogates."""
    try:
        encoded = _ENCODER.encode(value)
    except UnicodeEncodeError as error:
        raise ValueError("lone surrogate in a string") from error
    return _encode(value).encode("utf-8") if _differs(encoded, value) else encoded


def _differs(encoded: bytes, value: Any) -> bool:
    if isinstance(value, float) or b"\\u00" in encoded or _FLOAT_FIELD.search(encoded):
        return True
    if b"[" in encoded and _FLOAT_ITEM.search(encoded):
        return True
    return b"null" in encoded and decode(encoded) != value  # NaN and infinities are written as null


def in_given_order(value: Any) -> bytes:
    """Compact UTF-8 JSON that keeps the order of keys: what is stored and sent, not what is hashed."""
    return msgspec.json.encode(value)


def decode(text: str | bytes) -> Any:
    """A JSON value with integers of any size; duplicate keys: the last wins. Raises ValueError."""
    return msgspec.json.decode(text)


def decode_as(text: str | bytes, shape: type[T]) -> T:
    """A JSON value as the msgspec struct `shape`. Raises ValueError."""
    return msgspec.json.decode(text, type=shape)


def _encode(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case str():
            return _string(value)
        case list() | tuple():
            return "[" + ",".join(map(_encode, value)) + "]"
        case dict():
            return "{" + ",".join(f"{_string(key)}:{_encode(value[key])}" for key in sorted(value)) + "}"
    raise ValueError(f"not a JSON value: {type(value).__name__}")


def _string(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda match: _ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04X}", text) + '"'


def _float(number: float) -> str:
    """Shortest round-trip digits, always with a fraction; scientific when shorter or from 2^53 on."""
    if not math.isfinite(number):
        raise ValueError("NaN and infinities are not JSON")
    mantissa, _, exponent_text = f"{number!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    exponent = int(exponent_text or 0) + len(whole) - 1
    digits = (whole + fraction).lstrip("0")
    if whole == "0" and fraction:
        exponent -= len(fraction) - len(fraction.lstrip("0")) + 1
    digits = digits.rstrip("0") or "0"
    exponent = 0 if digits == "0" else exponent
    scientific = f"{sign}{digits[0]}.{digits[1:] or '0'}e{exponent}"
    if abs(number) >= 2**53:
        return scientific
    plain = sign + _plain(digits, exponent)
    return scientific if len(scientific) < len(plain) else plain


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    padded = digits.ljust(exponent + 1, "0")
    return f"{padded[: exponent + 1]}.{padded[exponent + 1 :] or '0'}"
