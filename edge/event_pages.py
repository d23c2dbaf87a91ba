"""Pages of one stream's events, for clients that read its history from either end (edge §2.6)."""

from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response

from edge.errors import Invalid, Issue
from edge.event_stream import EventStreams
from edge.requests import Fields, Integer
from edge.responses import coded, data
from schemas.events import Recorded
from schemas.times import iso6

_Seq = Annotated[Integer, Field(ge=0, le=2**63 - 1)]


class PageQuery(Fields):
    """The oldest events after a seq, the newest before one, or the newest of all."""

    after: _Seq | None = None
    before: _Seq | None = None
    limit: Annotated[Integer, Field(ge=1, le=500)] = 200


async def respond(
    streams: EventStreams, stream: str, query: PageQuery, latest_seq: int, floor: int | None = None
) -> Response:
    """Oldest first, with the seq up to which nothing is kept any more; 410 when `after` lies below that.

    Without a floor it is below the oldest event that is kept.
    """
    if query.after is not None and query.before is not None:
        raise Invalid([Issue("before", "Either after or before may be given.")])
    floor = await streams.floor(stream) if floor is None else floor
    if query.after is not None and query.after < floor:
        return coded(410, "stale_cursor", f"the oldest cursor that can be served is {floor}")
    events = [_event(event) for event in await _events(streams, stream, query) if event.seq > floor]
    latest_seq = max([latest_seq, *(event["seq"] for event in events)])
    return data({"events": events, "floor": floor, "latestSeq": latest_seq})


async def _events(streams: EventStreams, stream: str, query: PageQuery) -> list[Recorded]:
    if query.after is not None:
        return await streams.reader.read_stream(stream, query.after, query.limit)
    return await streams.reader.read_stream_before(stream, query.before, query.limit)


def _event(event: Recorded) -> dict[str, Any]:
    """Whose payload was erased (ADR 12) says so."""
    told = {
        "seq": event.seq,
        "event_type": event.type,
        "payload": event.payload,
        "occurred_at": iso6(event.recorded_at),
    }
    return told | {"erased": True} if event.erased else told
