"""Spans as OpenTelemetry has them: the rooms' `Spans`, and where they are sent (runtime §9)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.tracing import Attributes

_CONTEXT = TraceContextTextMapPropagator()


class Begun:
    """One span of OpenTelemetry's."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def headers(self) -> Mapping[str, str]:
        carrier: dict[str, str] = {}
        _CONTEXT.inject(carrier, set_span_in_context(self._span))
        return carrier

    def end(self, **attributes: str | int) -> None:
        self._span.set_attributes(attributes)
        self._span.end()


class Traces:
    """Spans of one tracer; a caller that says its trace is not sampled is believed."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(self, name: str, parent: Mapping[str, str], attributes: Attributes) -> Begun:
        return Begun(self._tracer.start_span(name, _CONTEXT.extract(parent), attributes=attributes))


@contextmanager
def exported(service: str, processor: SpanProcessor) -> Iterator[Traces]:
    """Spans that `processor` takes; what it still holds at the end is sent before this returns."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    try:
        yield Traces(provider.get_tracer("openagents"))
    finally:
        provider.shutdown()


def otlp(endpoint: str) -> SpanProcessor:
    """Sends batches from a thread of its own; what a slow or absent collector leaves no room for is dropped."""
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))
