"""Traces that come with a request, go into the events it causes, and go on in spans (runtime §2.1, §9, DESIGN §5)."""

import re
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.tracing import TRACEPARENT, Spans

_FORMAT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MAX_TRACESTATE = 512
_NAMES: Final = {
    "events": "runtime.ingest",
    "batch": "runtime.ingest",
    "requests": "runtime.ingest",
    "frames": "runtime.ingest",
    "delivery-events": "runtime.ingest",
    "snapshot": "runtime.persist",
    "cancel": "runtime.persist",
    "stream": "runtime.stream",
    "execute": "runtime.tool",
}
"""Span of a request by the last part of its path (runtime §9)."""
_OTHERS: Final = "http"


def trace_headers(request: Request) -> dict[str, str]:
    """What its events carry: the request's own span, else what came with it when well-formed (W3C Trace Context)."""
    own: dict[str, str] | None = request.scope.get("state", {}).get(TRACEPARENT)
    return given(request.headers) if own is None else own


def given(headers: Headers) -> dict[str, str]:
    traceparent = headers.get(TRACEPARENT, "").strip()
    if not _FORMAT.fullmatch(traceparent):
        return {}
    tracestate = headers.get("tracestate", "").strip()
    if not tracestate or len(tracestate) > _MAX_TRACESTATE or not tracestate.isprintable():
        return {TRACEPARENT: traceparent}
    return {TRACEPARENT: traceparent, "tracestate": tracestate}


def span_name(path: str) -> str:
    return _NAMES.get(path.rsplit("/", 1)[-1], _OTHERS)


class Traced:
    """A span a request, which events and log lines of the request name; there only when somebody wants spans."""

    def __init__(self, app: ASGIApp, spans: Spans, untraced: tuple[str, ...]) -> None:
        self.app = app
        self.spans = spans
        self.untraced = untraced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self.untraced:
            await self.app(scope, receive, send)
            return
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        span = self.spans.begin(span_name(scope["path"]), given(Headers(scope=scope)), attributes)
        scope.setdefault("state", {})[TRACEPARENT] = dict(span.headers)
        bound = structlog.contextvars.bind_contextvars(traceparent=span.headers[TRACEPARENT])
        answered: dict[str, int] = {}

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["http.response.status_code"] = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            structlog.contextvars.reset_contextvars(**bound)
            span.end(**answered)
