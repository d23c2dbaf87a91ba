"""What the rooms tell of the traces that events travel in; without `Spans` nothing is made (runtime §9)."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from schemas.events import Recorded

TRACEPARENT: Final = "traceparent"
"""W3C Trace Context, in requests, in events' headers and in those of Kafka's records."""

Attributes = Mapping[str, str | int]


class Span(Protocol):
    """Something under way; told when it has ended."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What makes others its children."""

    def end(self, **attributes: str | int) -> None: ...


class Spans(Protocol):
    """Where spans go; `ops` makes one when an operator asks for traces."""

    def begin(self, name: str, parent: Mapping[str, str], attributes: Attributes) -> Span:
        """A child of the span that a request's or an event's headers name; without one a new trace."""


def begin(spans: Spans | None, name: str, parent: Mapping[str, str], attributes: Attributes) -> Span | None:
    """None when nobody wants spans, or when this is part of no trace."""
    if spans is None or TRACEPARENT not in parent:
        return None
    return spans.begin(name, parent, attributes)


def begin_each(spans: Spans | None, name: str, events: Iterable[Recorded], **attributes: str) -> list[Span]:
    """A span an event that travels in a trace; `end_all` ends them."""
    if spans is None:
        return []
    traced = (event for event in events if TRACEPARENT in event.headers)
    return [spans.begin(name, event.headers, {**_place(event), **attributes}) for event in traced]


def end_all(begun: Iterable[Span]) -> None:
    for span in begun:
        span.end()


def _place(event: Recorded) -> Attributes:
    return {"oa.position": event.position, "oa.stream": event.stream, "oa.type": event.type}
