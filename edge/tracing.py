"""Trace context that comes with a request and goes into the events it causes (runtime §2.1, DESIGN §5)."""

import re

from starlette.requests import Request

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_MAX_TRACESTATE = 512


def trace_headers(request: Request) -> dict[str, str]:
    """`traceparent` and `tracestate` when well-formed (W3C Trace Context)."""
    traceparent = request.headers.get("traceparent", "").strip()
    if not _TRACEPARENT.fullmatch(traceparent):
        return {}
    tracestate = request.headers.get("tracestate", "").strip()
    if not tracestate or len(tracestate) > _MAX_TRACESTATE or not tracestate.isprintable():
        return {"traceparent": traceparent}
    return {"traceparent": traceparent, "tracestate": tracestate}
