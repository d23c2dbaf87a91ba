"""Workers on the public API (edge §2.6): the same functions as the signed one, behind public rules."""

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge import event_pages
from edge.auth.accounts import Caller
from edge.auth.authentication import require_caller
from edge.event_pages import PageQuery
from edge.event_stream import DEFAULT_TAIL_MS, EventStreams, cursor_of, worker_frame
from edge.requests import Fields, Integer, body_of, endpoints, query_of, read_body, service
from edge.responses import data
from edge.tracing import trace_headers
from edge.worker_bodies import BatchBody, CreateBody, EventBody, ListQuery, RequestBody, StopBody, check_batch_size
from edge.workers import Call, Workers

_PATH = "/api/runtime/codex/workers"
_MAX_POSITION = 2**63 - 1
_MAX_CLIENT = 120


class StreamQuery(Fields):
    cursor: Annotated[Integer, Field(ge=0, le=_MAX_POSITION)] | None = None
    tail_ms: Annotated[Integer, Field(ge=1, le=120_000)] = DEFAULT_TAIL_MS


async def list_workers(request: Request) -> Response:
    caller = await require_caller(request)
    query = query_of(request, ListQuery)
    workers = service(request, Workers)
    return data(await workers.list(caller.owner, **query.model_dump()))


async def create(request: Request) -> Response:
    caller = await require_caller(request)
    command = (await body_of(request, CreateBody)).command()
    call = Call(caller.owner, command.worker_id, trace_headers(request), len(await read_body(request)))
    created, replayed = await service(request, Workers).create(call, command)
    return data(created, 200 if replayed else 202)


async def snapshot(request: Request) -> Response:
    return data(await service(request, Workers).snapshot(await _call(request)))


async def send_request(request: Request) -> Response:
    caller = await require_caller(request)
    client = request.headers.get("x-client", "").strip()[:_MAX_CLIENT] or None
    requested_by = {"owner": caller.owner, "client": client, "token": caller.token_id}
    command = (await body_of(request, RequestBody)).command(requested_by)
    call = await _call_of(request, caller)
    return data((await service(request, Workers).request(call, command)).data)


async def events(request: Request) -> Response:
    """Whose worker it is, and what is too old, as for the stream."""
    call = await _call(request)
    query = query_of(request, PageQuery)
    worker = await service(request, Workers).existing(call)
    return await event_pages.respond(service(request, EventStreams), call.stream, query, worker.seq)


async def append(request: Request) -> Response:
    call = await _call(request)
    command = (await body_of(request, EventBody)).command()
    appended, replayed = await service(request, Workers).append(call, command)
    return data(appended, 200 if replayed else 202)


async def append_batch(request: Request) -> Response:
    call = await _call(request)
    check_batch_size(await read_body(request))
    events = (await body_of(request, BatchBody)).new_events()
    appended, replayed = await service(request, Workers).append_batch(call, events)
    return data(appended, 200 if replayed else 202)


async def stop(request: Request) -> Response:
    call = await _call(request)
    command = (await body_of(request, StopBody)).command()
    stopped, replayed = await service(request, Workers).stop(call, command)
    return data(stopped, 200 if replayed else 202)


async def stream(request: Request) -> Response:
    """`Last-Event-ID` wins over `cursor`, so that a browser's EventSource can reconnect (D10)."""
    call = await _call(request)
    query = query_of(request, StreamQuery)
    worker = await service(request, Workers).existing(call)
    return await service(request, EventStreams).respond(
        call.stream,
        last_event_id(request, query.cursor),
        worker.seq,
        query.tail_ms,
        "no-cache, no-transform",
        worker_frame,
    )


async def _call(request: Request) -> Call:
    return await _call_of(request, await require_caller(request))


async def _call_of(request: Request, caller: Caller) -> Call:
    return Call(caller.owner, request.path_params["worker_id"], trace_headers(request), len(await read_body(request)))


def last_event_id(request: Request, cursor: int | None) -> int | None:
    """One that is not ours says nothing."""
    try:
        last = cursor_of(request.headers.get("last-event-id"))
    except ValueError:
        return cursor
    return cursor if last is None else last


routes: list[Route] = [
    endpoints(_PATH, GET=list_workers, POST=create),
    endpoints(_PATH + "/{worker_id}", GET=snapshot),
    endpoints(_PATH + "/{worker_id}/requests", POST=send_request),
    endpoints(_PATH + "/{worker_id}/events", GET=events, POST=append),
    endpoints(_PATH + "/{worker_id}/events/batch", POST=append_batch),
    endpoints(_PATH + "/{worker_id}/stop", POST=stop),
    endpoints(_PATH + "/{worker_id}/stream", GET=stream),
]
