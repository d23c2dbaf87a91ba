"""The stub model as a web application: the part of the Responses API that Codex uses."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ops.stub_model.responses import DELTA, Json
from ops.stub_model.turns import pause_s, respond

Sleep = Callable[[float], Awaitable[None]]


def build(sleep: Sleep = asyncio.sleep) -> Starlette:
    """`sleep` is what a slow answer waits with."""
    app = Starlette(
        routes=[
            Route("/v1/responses", create_response, methods=["POST"]),
            Route("/v1/models", list_models),
            Route("/livez", ready),
            Route("/readyz", ready),
        ]
    )
    app.state.sleep = sleep
    return app


async def create_response(request: Request) -> Response:
    try:
        body = json.loads(await request.body())
    except ValueError:
        return _invalid("the body is not JSON")
    if not isinstance(body, dict) or not isinstance(body.get("input"), list):
        return _invalid("`input` must be a list of items")
    return StreamingResponse(_frames(body, request.app.state.sleep), media_type="text/event-stream")


async def list_models(request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [{"id": "stub-model", "object": "model"}]})


async def ready(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _frames(body: Json, sleep: Sleep) -> AsyncIterator[str]:
    wait_s = pause_s(body)
    for event in respond(body, f"resp_{uuid.uuid4().hex}"):
        if wait_s and event["type"] == DELTA:
            await sleep(wait_s)
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def _invalid(message: str) -> Response:
    return JSONResponse({"error": {"code": "invalid_request", "message": message}}, status_code=400)
