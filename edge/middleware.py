"""What happens to every HTTP request: its id, the answer to a crash, maintenance and CORS (edge §1.5, runtime §2.1)."""

import asyncio
import re
import uuid
from collections.abc import Callable, Sequence

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from edge import metrics
from edge.responses import failure
from edge.tracing import Traced
from schemas.tracing import Spans

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
PROBES = ("/livez", "/readyz", "/metrics")
_MEASURED = {
    number: (metrics.REQUESTS.labels(f"{number}xx"), metrics.REQUEST_MS.labels(f"{number}xx")) for number in range(1, 6)
}

Closed = Callable[[str], bool]

logger = structlog.get_logger()


def middleware(trusted_proxies: Sequence[str], closed: Closed, spans: Spans | None = None) -> list[Middleware]:
    """For `Starlette(middleware=...)`, outermost first; run uvicorn with `proxy_headers=False`.

    `trusted_proxies` are addresses or networks whose forwarded headers are believed (D9); `closed` says whether a
    path is, by the maintenance switch for example. Without `spans` nothing is traced.
    """
    proxies = [Middleware(ProxyHeadersMiddleware, trusted_hosts=list(trusted_proxies))] if trusted_proxies else []
    traced = [Middleware(Traced, spans=spans, untraced=PROBES)] if spans else []
    return [
        *proxies,
        Middleware(Measured),
        Middleware(RequestIds, new_id=lambda: str(uuid.uuid4())),
        *traced,
        Middleware(CrossOrigin),
        Middleware(CrashAnswers),
        Middleware(Maintenance, closed=closed),
    ]


class Measured:
    """Counts and times what is answered (runtime §9), but the probes: being not ready is no failure of a request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        started = clock()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                requests, duration_ms = _MEASURED[message["status"] // 100]
                requests.inc()
                duration_ms.observe((clock() - started) * 1000)
            await send(message)

        await self.app(scope, receive, noting)


class RequestIds:
    """`x-request-id`: the caller's when acceptable, else a new one; on every response and in every log line."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self.app = app
        self.new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "").strip()
        request_id = given if REQUEST_ID.fullmatch(given) else self.new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, _adding(send, {"x-request-id": request_id}))
        finally:
            structlog.contextvars.reset_contextvars(**bound)


class CrossOrigin:
    """Any origin may call `/api/*`, without credentials; a preflight is answered here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            answer, sending = self.app, send
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            answer, sending = _preflight(Headers(scope=scope)), send
        else:
            answer, sending = self.app, _adding(send, {"access-control-allow-origin": "*"})
        await answer(scope, receive, sending)


def _preflight(headers: Headers) -> Response:
    allowed = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": headers["access-control-request-method"].upper(),
        "vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
    }
    if wanted := headers.get("access-control-request-headers"):
        allowed["access-control-allow-headers"] = wanted
    return Response(status_code=204, headers=allowed)


class Maintenance:
    """What is closed answers 503 as the app answers failures, and no socket is opened; probes are always answered."""

    def __init__(self, app: ASGIApp, closed: Closed) -> None:
        self.app = app
        self.closed = closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in PROBES or not self.closed(scope["path"]):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        else:
            request = Request(scope)
            answer = await request.app.exception_handlers[HTTPException](request, HTTPException(503))
            await answer(scope, receive, send)


class CrashAnswers:
    """The border at which an unexpected exception becomes a logged 500; a response under way is cut off."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except ClientDisconnect:
            logger.info("client went away", method=scope["method"], path=scope["path"])
        except Exception:
            if started:
                raise
            logger.exception("request failed", method=scope["method"], path=scope["path"])
            await failure(scope["path"], 500, "Server Error")(scope, receive, send)


def _adding(send: Send, headers: dict[str, str]) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return adding
