"""Runs on the public API (docs/runs.md): the same functions as the signed one, for who is signed in."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge import event_pages
from edge.api.workers import StreamQuery, last_event_id
from edge.auth.authentication import require_caller
from edge.event_pages import PageQuery
from edge.event_stream import EventStreams
from edge.requests import body_of, endpoints, query_of, read_body, service
from edge.responses import data
from edge.run_bodies import (
    CancelFields,
    FrameFields,
    NewRunBody,
    PublicListQuery,
    checked_run_id,
    new_run_id,
    new_thread_id,
)
from edge.run_frames import run_frame
from edge.run_history import RunHistory
from edge.runs import Call, Runs
from edge.stream_meter import RunMeter
from edge.tracing import trace_headers
from producers.run_lists import Picked
from schemas.names import run_stream

_PATH = "/api/runtime/runs"
_ONE = _PATH + "/{run_id}"


async def list_runs(request: Request) -> Response:
    caller = await require_caller(request)
    query = query_of(request, PublicListQuery)
    picked = Picked(query.status, query.thread_id, query.run_id)
    return data(await service(request, RunHistory).list(caller.owner, picked, query.limit))


async def create(request: Request) -> Response:
    caller = await require_caller(request)
    body = await body_of(request, NewRunBody)
    run_id = checked_run_id(body.run_id or new_run_id())
    call = Call(
        *(caller.owner, run_id, body.thread_id or new_thread_id()),
        trace_headers(request),
        len(await read_body(request)),
    )
    return _written(*await service(request, Runs).create(call))


async def snapshot(request: Request) -> Response:
    return data(await service(request, RunHistory).snapshot(await _call(request)))


async def events(request: Request) -> Response:
    """Pages of what happened, from either end."""
    call = await _call(request)
    query = query_of(request, PageQuery)
    floor, latest_seq = await service(request, Runs).span(call)
    return await event_pages.respond(service(request, EventStreams), run_stream(call.run_id), query, latest_seq, floor)


async def stream(request: Request) -> Response:
    """`Last-Event-ID` wins over `cursor`, as for workers (D10); the frames are the signed API's (runtime §2.17)."""
    call = await _call(request)
    query = query_of(request, StreamQuery)
    floor, latest_seq = await service(request, Runs).span(call)
    return await service(request, EventStreams).respond(
        run_stream(call.run_id),
        last_event_id(request, query.cursor),
        latest_seq,
        query.tail_ms,
        "no-cache, no-transform",
        run_frame,
        floor,
        RunMeter(asyncio.get_running_loop().time),
    )


async def receive(request: Request) -> Response:
    """Durable, not executed yet (runtime §2.7)."""
    call = await _call(request)
    frame = (await body_of(request, FrameFields)).command()
    return _written(*await service(request, Runs).receive(call, frame))


async def cancel(request: Request) -> Response:
    call = await _call(request)
    command = (await body_of(request, CancelFields)).command()
    return _written(*await service(request, Runs).cancel(call, command))


async def chain(request: Request) -> Response:
    """Whether what the log keeps of the run is what was written."""
    return data(await service(request, RunHistory).chain(await _call(request)))


def _written(answer: dict[str, Any], replayed: bool) -> Response:
    return data(answer | {"idempotentReplay": replayed}, 200 if replayed else 202)


async def _call(request: Request) -> Call:
    """Whose run it is is asked first, as for workers."""
    owner = (await require_caller(request)).owner
    run_id = checked_run_id(request.path_params["run_id"])
    thread_id = await service(request, Runs).thread_of(owner, run_id)
    return Call(owner, run_id, thread_id, trace_headers(request), len(await read_body(request)))


routes: list[Route] = [
    endpoints(_ONE + "/events", GET=events),
    endpoints(_ONE + "/frames", POST=receive),
    endpoints(_ONE + "/stream", GET=stream),
    endpoints(_ONE + "/cancel", POST=cancel),
    endpoints(_ONE + "/chain", GET=chain),
    endpoints(_ONE, GET=snapshot),
    endpoints(_PATH, GET=list_runs, POST=create),
]
