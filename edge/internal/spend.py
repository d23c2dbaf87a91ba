"""Budgets on the signed API: authorizations and the reservations on them (runtime §1.8, §3.4, §3.5)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.auth.signed_requests import Signed, signed
from edge.requests import body_of, endpoints, query_of, read_body, service
from edge.responses import data
from edge.spend import Answer, Call, Spend
from edge.spend_bodies import (
    AuthorizeBody,
    CommitBody,
    ReconcileBody,
    ReleaseBody,
    ReserveBody,
    RevokeBody,
    SpendQuery,
)
from edge.tracing import trace_headers
from producers.errors import InvalidRequest
from schemas.names import CONTROL_CHARACTERS

_PATH = "/internal/v1/spend/authorizations"
_ONE = _PATH + "/{authorization_id}"


async def list_authorizations(request: Request) -> Response:
    owner = (await signed(request)).worker_principal().owner
    return data(await service(request, Spend).authorizations(owner, query_of(request, SpendQuery).limit))


async def authorize(request: Request) -> Response:
    caller = await signed(request)
    owner = caller.worker_principal().owner
    body = await body_of(request, AuthorizeBody)
    call = await _call(request, owner, body.new_id)
    return _answered(await service(request, Spend).authorize(call, body))


async def get(request: Request) -> Response:
    call = await _existing(request, await signed(request))
    return data(await service(request, Spend).get(call))


async def revoke(request: Request) -> Response:
    call = await _existing(request, await signed(request))
    reason = (await body_of(request, RevokeBody)).reason
    return _answered(await service(request, Spend).revoke(call, reason))


async def list_reservations(request: Request) -> Response:
    call = await _existing(request, await signed(request))
    return data(await service(request, Spend).open_reservations(call, query_of(request, SpendQuery).limit))


async def reserve(request: Request) -> Response:
    call = await _existing(request, await signed(request))
    return _answered(await service(request, Spend).reserve(call, await body_of(request, ReserveBody)))


async def commit(request: Request) -> Response:
    call = await _existing(request, await signed(request))
    return _answered(await service(request, Spend).commit(call, await body_of(request, CommitBody)))


async def release(request: Request) -> Response:
    call = await _existing(request, await signed(request))
    return _answered(await service(request, Spend).release(call, await body_of(request, ReleaseBody)))


async def require_reconcile(request: Request) -> Response:
    call = await _existing(request, await signed(request))
    return _answered(await service(request, Spend).require_reconcile(call, await body_of(request, ReconcileBody)))


def _answered(answer: Answer) -> Response:
    return data(answer.data, 200 if answer.replayed else 202)


async def _existing(request: Request, caller: Signed) -> Call:
    call = await _call(request, caller.worker_principal().owner, request.path_params["authorization_id"])
    if CONTROL_CHARACTERS.search(call.authorization_id):
        raise InvalidRequest("authorization_id must not contain control characters")
    return call


async def _call(request: Request, owner: str, authorization_id: str) -> Call:
    return Call(owner, authorization_id, trace_headers(request), len(await read_body(request)))


routes: list[Route] = [
    endpoints(_ONE + "/reservations", GET=list_reservations, POST=reserve),
    endpoints(_ONE + "/reservations/commit", POST=commit),
    endpoints(_ONE + "/reservations/release", POST=release),
    endpoints(_ONE + "/reservations/reconcile-required", POST=require_reconcile),
    endpoints(_ONE + "/revoke", POST=revoke),
    endpoints(_ONE, GET=get),
    endpoints(_PATH, GET=list_authorizations, POST=authorize),
]
