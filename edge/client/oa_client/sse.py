"""Server-sent events: bytes in, frames out."""

from collections.abc import Iterator
from typing import NamedTuple


class Frame(NamedTuple):
    id: str
    event: str
    data: str


class Parser:
    """Feed it chunks as they come; lines end at LF or CRLF only, so text may hold any other separator."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, list[str]] = {}

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if frame := self._line(line.removesuffix(b"\r").decode("utf-8")):
                yield frame

    def _line(self, line: str) -> Frame | None:
        if line:
            name, _, value = line.partition(":")
            self._fields.setdefault(name, []).append(value.removeprefix(" "))
            return None
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return None
        last = {name: values[-1] for name, values in fields.items()}
        return Frame(last.get("id", ""), last.get("event", "message"), "\n".join(fields["data"]))
