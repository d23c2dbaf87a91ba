"""Where an event stream of the signed API begins and how long it lasts, as its request says (runtime §2.17)."""

from typing import Final

from starlette.requests import Request

from edge.errors import Invalid, Issue
from edge.event_stream import DEFAULT_TAIL_MS, cursor_of

_MAX_TAIL_MS: Final = 10**9


def cursor_in(request: Request) -> int | None:
    """`cursor` and `Last-Event-ID` mean the same and must agree; None without either. Raises Invalid."""
    try:
        in_query = cursor_of(request.query_params.get("cursor"))
        in_header = cursor_of(request.headers.get("last-event-id"))
    except ValueError as error:
        raise Invalid([Issue("cursor", str(error))]) from None
    if in_query is not None and in_header is not None and in_query != in_header:
        raise Invalid([Issue("cursor", "cursor and Last-Event-ID differ")])
    return in_header if in_query is None else in_query


def tail_ms_in(request: Request) -> int:
    """How long to follow, in milliseconds. Raises Invalid."""
    text = request.query_params.get("tail_ms")
    if text is None:
        return DEFAULT_TAIL_MS
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_TAIL_MS):
        raise Invalid([Issue("tail_ms", "tail_ms is a positive integer")])
    return int(text)
