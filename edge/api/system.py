"""The whole installation, for operators: one look at it, and what becomes of what is parked (edge §0, ADR 15)."""

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from edge.auth.admins import require_admin
from edge.health import EdgeHealth
from edge.operations import Drop, Operations
from edge.requests import Fields, Line, body_of, endpoints, service
from edge.responses import Json, data

_PATH = "/api/system"
_ONE = _PATH + "/quarantine/{id}"


class DropBody(Fields):
    why: Annotated[Line, Field(min_length=1, max_length=500)]


async def look(request: Request) -> Response:
    await require_admin(request)
    answer = data(await service(request, Operations).look(service(request, EdgeHealth).tails))
    answer.headers["cache-control"] = "no-store"
    return answer


async def retry(request: Request) -> Response:
    await require_admin(request)
    return await _released(request, None)


async def drop(request: Request) -> Response:
    admin = await require_admin(request)
    body = await body_of(request, DropBody)
    return await _released(request, Drop(admin.email, body.why))


async def _released(request: Request, decision: Drop | None) -> Json:
    """`again` says what parks it still, or null."""
    return data({"again": await service(request, Operations).release(request.path_params["id"], decision)})


routes = [
    endpoints(_PATH, GET=look),
    endpoints(_ONE + "/retry", POST=retry),
    endpoints(_ONE + "/drop", POST=drop),
]
