"""Runs on the signed API (runtime §2.4–2.9, §2.17, DEC-1, DEC-2)."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.auth.signed_requests import Signed, signed
from edge.errors import Unauthenticated
from edge.event_stream import EventStreams
from edge.internal.cursors import cursor_in, tail_ms_in
from edge.requests import body_of, document_of, endpoints, query_of, read_body, service
from edge.responses import Json
from edge.run_bodies import CancelBody, CreateBody, FrameBody, ListQuery, checked_id, checked_run_id, new_run_id
from edge.run_frames import run_frame
from edge.runs import Call, Runs
from edge.stream_meter import RunMeter
from edge.tracing import trace_headers
from schemas.names import run_stream

_PATH = "/internal/v1/runs"


async def list_runs(request: Request) -> Response:
    """Additive: run responses have no envelope (runtime §0.2)."""
    owner = (await signed(request)).run_principal().owner
    query = query_of(request, ListQuery)
    found = await service(request, Runs).list(owner, run_id=query.run_id, thread_id=query.thread_id, limit=query.limit)
    return Json({"runs": found})


async def create(request: Request) -> Response:
    caller = await signed(request)
    call = await _call(request, caller)
    if caller.user_id is not None and caller.user_id <= 0:
        raise Unauthenticated("A run belongs to a user or a guest.")
    await body_of(request, CreateBody)
    return _written(*await service(request, Runs).create(call))


async def receive(request: Request) -> Response:
    """Durable, not executed yet (runtime §2.7)."""
    call = await _owned(request, await signed(request))
    frame = (await body_of(request, FrameBody)).command()
    return _written(*await service(request, Runs).receive(call, frame))


async def cancel(request: Request) -> Response:
    call = await _owned(request, await signed(request))
    command = (await body_of(request, CancelBody)).command()
    return _written(*await service(request, Runs).cancel(call, command))


async def snapshot(request: Request) -> Response:
    call = await _call(request, await signed(request))
    return Json(await service(request, Runs).snapshot(call))


async def stream(request: Request) -> Response:
    call = await _owned(request, await signed(request, any_accept=True))
    cursor, tail_ms = cursor_in(request), tail_ms_in(request)
    floor, latest_seq = await service(request, Runs).span(call)
    return await service(request, EventStreams).respond(
        run_stream(call.run_id),
        cursor,
        latest_seq,
        tail_ms,
        "no-cache",
        run_frame,
        floor,
        RunMeter(asyncio.get_running_loop().time),
    )


def _written(answer: dict[str, Any], replayed: bool) -> Response:
    return Json(answer | {"idempotentReplay": replayed}, 200 if replayed else 202)


async def _owned(request: Request, caller: Signed) -> Call:
    """The body is judged after the ownership (runtime §2.4)."""
    call = await _call(request, caller)
    await service(request, Runs).require(call)
    return call


async def _call(request: Request, caller: Signed) -> Call:
    """Thread and run are the ones that the token was checked for; a run without an id gets one (DEC-2)."""
    await document_of(request)
    thread_id = checked_id("thread_id", caller.context.thread_id)
    owner = caller.run_principal().owner
    run_id = checked_run_id(caller.context.run_id or new_run_id())
    return Call(owner, run_id, thread_id, trace_headers(request), len(await read_body(request)))


routes: list[Route] = [
    endpoints(_PATH + "/{run_id}/frames", POST=receive),
    endpoints(_PATH + "/{run_id}/stream", GET=stream),
    endpoints(_PATH + "/{run_id}/cancel", POST=cancel),
    endpoints(_PATH + "/{run_id}/snapshot", GET=snapshot),
    endpoints(_PATH, GET=list_runs, POST=create),
]
