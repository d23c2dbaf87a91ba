"""The stub model as a web application: the part of the Responses API that Codex uses."""

import json
import uuid
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ops.stub_model.turns import Json, respond


def build() -> Starlette:
    return Starlette(
        routes=[
            Route("/v1/responses", create_response, methods=["POST"]),
            Route("/v1/models", list_models),
            Route("/livez", ready),
            Route("/readyz", ready),
        ]
    )


async def create_response(request: Request) -> Response:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return _invalid("the body is not JSON")
    if not isinstance(body, dict) or not isinstance(body.get("input"), list):
        return _invalid("`input` must be a list of items")
    return StreamingResponse(_frames(body), media_type="text/event-stream")


async def list_models(request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [{"id": "stub-model", "object": "model"}]})


async def ready(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _frames(body: Json) -> AsyncIterator[str]:
    for event in respond(body, f"resp_{uuid.uuid4().hex}"):
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _invalid(message: str) -> Response:
    return JSONResponse({"error": {"code": "invalid_request", "message": message}}, status_code=400)
