"""What one event may carry: long texts and lists are cut until all of it fits."""

from collections.abc import Iterator
from typing import Any

import msgspec

MAX_BYTES = 256 * 1024
"""Half of what the server takes (runtime DEC-49), so that redaction and the envelope never carry an event over it."""

_STEPS = ((8 * 1024, 1_000), (1024, 200), (256, 50), (64, 20))
"""Characters of each text and items of each list, from generous to what fits nearly always."""


def bounded(value: Any) -> Any:
    """The same, or cut; an object that was cut says so by `truncated` and its true `size_bytes`."""
    size_bytes = _size(value)
    if size_bytes <= MAX_BYTES:
        return value
    told = {"truncated": True, "size_bytes": size_bytes}
    return next((cut for cut in _cuts(value, told) if _size(cut) <= MAX_BYTES), told)


def shortened(text: str, characters: int) -> str:
    """The beginning, and how much is missing."""
    return text if len(text) <= characters else f"{text[:characters]}… [{len(text) - characters} characters cut]"


def _cuts(value: Any, told: dict[str, Any]) -> Iterator[Any]:
    for characters, items in _STEPS:
        cut = _cut(value, characters, items)
        yield {**cut, **told} if isinstance(cut, dict) else cut


def _cut(value: Any, characters: int, items: int) -> Any:
    match value:
        case str():
            return shortened(value, characters)
        case dict():
            return {key: _cut(inner, characters, items) for key, inner in value.items()}
        case list():
            return [_cut(inner, characters, items) for inner in value[:items]]
    return value


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
