"""Budgets on the public API (docs/budgets.md): what their owner sees and decides; money moves on the signed one."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.auth.authentication import require_caller
from edge.requests import body_of, endpoints, query_of, read_body, service
from edge.responses import data
from edge.spend import Answer, Call, Spend
from edge.spend_bodies import AuthorizeBody, RevokeBody, SpendQuery
from edge.spend_history import SpendHistory
from edge.tracing import trace_headers
from producers.errors import InvalidRequest
from schemas.names import CONTROL_CHARACTERS

_PATH = "/api/runtime/spend/authorizations"
_ONE = _PATH + "/{authorization_id}"


class HoldsQuery(SpendQuery):
    state: Literal["open", "settled"] = "open"


async def list_authorizations(request: Request) -> Response:
    caller = await require_caller(request)
    return data(await service(request, SpendHistory).cards(caller.owner, query_of(request, SpendQuery).limit))


async def authorize(request: Request) -> Response:
    caller = await require_caller(request)
    body = await body_of(request, AuthorizeBody)
    call = Call(caller.owner, body.new_id, trace_headers(request), len(await read_body(request)))
    return _answered(await service(request, Spend).authorize(call, body))


async def get(request: Request) -> Response:
    return data(await service(request, SpendHistory).get(await _call(request)))


async def list_holds(request: Request) -> Response:
    """What is held now, or what became of what was held."""
    call = await _call(request)
    query, history = query_of(request, HoldsQuery), service(request, SpendHistory)
    found = history.open_holds if query.state == "open" else history.settled_holds
    return data(await found(call, query.limit))


async def list_denials(request: Request) -> Response:
    call = await _call(request)
    return data(await service(request, SpendHistory).denials(call, query_of(request, SpendQuery).limit))


async def revoke(request: Request) -> Response:
    call = await _call(request)
    reason = (await body_of(request, RevokeBody)).reason
    return _answered(await service(request, Spend).revoke(call, reason))


def _answered(answer: Answer) -> Response:
    return data(answer.data, 200 if answer.replayed else 202)


async def _call(request: Request) -> Call:
    owner = (await require_caller(request)).owner
    authorization_id = request.path_params["authorization_id"]
    if CONTROL_CHARACTERS.search(authorization_id):
        raise InvalidRequest("authorization_id must not contain control characters")
    return Call(owner, authorization_id, trace_headers(request), len(await read_body(request)))


routes: list[Route] = [
    endpoints(_ONE + "/holds", GET=list_holds),
    endpoints(_ONE + "/denials", GET=list_denials),
    endpoints(_ONE + "/revoke", POST=revoke),
    endpoints(_ONE, GET=get),
    endpoints(_PATH, GET=list_authorizations, POST=authorize),
]
