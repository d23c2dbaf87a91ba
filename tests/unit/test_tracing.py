"""Traces of requests: which are well-formed, what a request's span is called, and that nobody is traced unasked."""

from collections.abc import Mapping

import httpx
import pytest
import structlog
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge.middleware import middleware
from edge.tracing import given, span_name, trace_headers
from schemas import tracing
from schemas.tracing import Attributes
from tests.worker_events import STARTED, Log

OURS, CALLERS = (f"00-{letter * 32}-{letter * 16}-01" for letter in "ab")


class Told:
    """A span that says what it was told."""

    def __init__(self, name: str, parent: Mapping[str, str], attributes: Attributes) -> None:
        self.name = name
        self.parent = dict(parent)
        self.attributes = dict(attributes)
        self.ended = 0
        self.headers = {"traceparent": OURS}

    def end(self, **attributes: str | int) -> None:
        self.ended += 1
        self.attributes.update(attributes)


class Kept:
    def __init__(self) -> None:
        self.begun: list[Told] = []

    def begin(self, name: str, parent: Mapping[str, str], attributes: Attributes) -> Told:
        self.begun.append(Told(name, parent, attributes))
        return self.begun[-1]


async def carried(request: Request) -> Response:
    return JSONResponse(trace_headers(request))


async def get(spans: Kept | None, path: str = "/internal/v1/runs/r/snapshot", **headers: str) -> dict[str, str]:
    """What the events of such a request would carry."""
    routes = [Route(path, carried)]
    app = Starlette(routes=routes, middleware=middleware((), lambda _: False, spans))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge.test") as http:
        told: dict[str, str] = (await http.get(path, headers=headers)).json()
        return told


async def test_a_request_is_a_span_that_its_events_name() -> None:
    """runtime §9, §2.1."""
    spans = Kept()
    assert await get(spans, traceparent=CALLERS, tracestate="a=b") == {"traceparent": OURS}
    [span] = spans.begun
    assert (span.name, span.parent) == ("runtime.persist", {"traceparent": CALLERS, "tracestate": "a=b"})
    path = "/internal/v1/runs/r/snapshot"
    assert span.attributes == {"http.request.method": "GET", "url.path": path, "http.response.status_code": 200}
    assert span.ended == 1


async def test_log_lines_of_a_traced_request_name_its_span() -> None:
    lines: list[object] = []

    async def bound(_: Request) -> Response:
        lines.append(structlog.contextvars.get_contextvars().get("traceparent"))
        return Response()

    app = Starlette(routes=[Route("/api/me", bound)], middleware=middleware((), lambda _: False, Kept()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge.test") as http:
        await http.get("/api/me")
    assert lines == [OURS]
    assert "traceparent" not in structlog.contextvars.get_contextvars()


async def test_without_spans_events_carry_what_came() -> None:
    assert await get(None, traceparent=CALLERS) == {"traceparent": CALLERS}


async def test_a_probe_is_no_span() -> None:
    spans = Kept()
    assert await get(spans, "/readyz", traceparent=CALLERS) == {"traceparent": CALLERS}
    assert spans.begun == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/internal/v1/runs/r/frames", "runtime.ingest"),
        ("/internal/v1/comms/delivery-events", "runtime.ingest"),
        ("/internal/v1/codex/workers/w/events/batch", "runtime.ingest"),
        ("/internal/v1/runs/r/snapshot", "runtime.persist"),
        ("/internal/v1/runs/r/cancel", "runtime.persist"),
        ("/internal/v1/runs/r/stream", "runtime.stream"),
        ("/internal/v1/tools/execute", "runtime.tool"),
        ("/api/me", "http"),
    ],
)
def test_spans_are_called_as_the_contract_does(path: str, name: str) -> None:
    """runtime §9."""
    assert span_name(path) == name


@pytest.mark.parametrize("traceparent", ["", "00-ab", CALLERS.upper(), f"{CALLERS}-x"])
def test_what_is_not_well_formed_is_not_carried(traceparent: str) -> None:
    assert given(Headers({"traceparent": traceparent, "tracestate": "a=b"})) == {}


def test_only_events_of_a_trace_are_told() -> None:
    """An event that nobody traced begins no trace in the relay or in a view."""
    log, spans = Log(), Kept()
    untraced, traced = log.append("w", STARTED), log.append("w", STARTED)
    traced.headers["traceparent"] = CALLERS
    begun = tracing.begin_each(spans, "relay.publish", [untraced, traced])
    tracing.end_all(begun)
    assert [(span.parent, span.ended, span.attributes["oa.position"]) for span in spans.begun] == [
        ({"traceparent": CALLERS}, 1, 2)
    ]
    assert tracing.begin(spans, "log.append", {}, {}) is None
    assert tracing.begin_each(None, "relay.publish", [traced]) == []
