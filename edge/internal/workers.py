"""Workers on the signed API (runtime §2.13–2.17)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.auth.signed_requests import Signed, signed
from edge.event_stream import EventStreams, worker_frame
from edge.internal.cursors import cursor_in, tail_ms_in
from edge.requests import body_of, endpoints, query_of, read_body, service
from edge.responses import data
from edge.tracing import trace_headers
from edge.worker_bodies import (
    BatchBody,
    CreateBody,
    ListQuery,
    SignedEventBody,
    SignedRequestBody,
    StopBody,
    check_batch_size,
)
from edge.workers import Call, Workers
from schemas.names import worker_stream

_PATH = "/internal/v1/codex/workers"


async def list_workers(request: Request) -> Response:
    owner = (await signed(request)).worker_principal().owner
    query = query_of(request, ListQuery)
    workers = service(request, Workers)
    return data(await workers.list(owner, **query.model_dump()))


async def create(request: Request) -> Response:
    caller = await signed(request)
    principal = caller.worker_principal()
    body = await body_of(request, CreateBody)
    command = body.command(owner_is_ambiguous=caller.user_id is not None and caller.guest_scope is not None)
    call = Call(principal.owner, command.worker_id, trace_headers(request), len(await read_body(request)))
    created, replayed = await service(request, Workers).create(call, command)
    return data(created, 200 if replayed else 202)


async def snapshot(request: Request) -> Response:
    call = await _call(request, await signed(request))
    return data(await service(request, Workers).snapshot(call))


async def send_request(request: Request) -> Response:
    call = await _call(request, await signed(request))
    requested_by = {"owner": call.owner, "client": "signed", "token": None}
    command = (await body_of(request, SignedRequestBody)).command(requested_by)
    return data((await service(request, Workers).request(call, command)).data)


async def append(request: Request) -> Response:
    call = await _call(request, await signed(request))
    command = (await body_of(request, SignedEventBody)).command()
    appended, replayed = await service(request, Workers).append(call, command)
    return data(appended, 200 if replayed else 202)


async def append_batch(request: Request) -> Response:
    call = await _call(request, await signed(request))
    check_batch_size(await read_body(request))
    events = (await body_of(request, BatchBody)).new_events()
    appended, replayed = await service(request, Workers).append_batch(call, events)
    return data(appended, 200 if replayed else 202)


async def stop(request: Request) -> Response:
    call = await _call(request, await signed(request))
    command = (await body_of(request, StopBody)).command()
    stopped, replayed = await service(request, Workers).stop(call, command)
    return data(stopped, 200 if replayed else 202)


async def stream(request: Request) -> Response:
    """Query and header must agree (runtime §2.17)."""
    call = await _call(request, await signed(request, any_accept=True))
    worker = await service(request, Workers).existing(call)
    cursor, tail_ms = cursor_in(request), tail_ms_in(request)
    name = worker_stream(call.owner, call.worker_id)
    return await service(request, EventStreams).respond(name, cursor, worker.seq, tail_ms, "no-cache", worker_frame)


async def _call(request: Request, caller: Signed) -> Call:
    owner = caller.worker_principal().owner
    return Call(owner, request.path_params["worker_id"], trace_headers(request), len(await read_body(request)))


routes: list[Route] = [
    endpoints(_PATH + "/{worker_id}/events", POST=append),
    endpoints(_PATH + "/{worker_id}/events/batch", POST=append_batch),
    endpoints(_PATH, GET=list_workers, POST=create),
    endpoints(_PATH + "/{worker_id}/snapshot", GET=snapshot),
    endpoints(_PATH + "/{worker_id}/requests", POST=send_request),
    endpoints(_PATH + "/{worker_id}/stop", POST=stop),
    endpoints(_PATH + "/{worker_id}/stream", GET=stream),
]
