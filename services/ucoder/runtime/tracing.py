"""One trace from brief to training row: OpenTelemetry spans, W3C Trace Context in message headers and call metadata.

A brief's trace id is made from its name, so a redelivered, requeued or resumed message goes on in the same trace and
`ucoder trace` can tell it. Without `UCODER_OTLP_URL` nothing is recorded, and what callers send is passed on.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ucoder.errors import Misconfigured
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """The spans of one process. Closed, it has sent what it recorded."""

    def __init__(self, settings: Settings, services: tuple[str, ...]) -> None:
        """Misconfigured where a collector is named and the `tracing` extra is not installed."""
        self.close: Callable[[], None] = lambda: None
        self._tracer: trace.Tracer = trace.NoOpTracer()
        if not settings.otlp_url:
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise Misconfigured("UCODER_OTLP_URL needs the tracing extra: pip install 'ucoder[tracing]'.") from None
        name = f"ucoder-{services[0]}" if len(services) == 1 else "ucoder"
        provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_url.rstrip('/')}/v1/traces", timeout=5)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer, self.close = provider.get_tracer("ucoder"), provider.shutdown

    @contextlib.contextmanager
    def message(self, arrow: str, ref: pb.Ref, headers: Mapping[str, str] | None) -> Iterator[trace.Span]:
        """A span around the work on one message, in the trace of its artefact, linked to whoever announced it."""
        sender = trace.get_current_span(_PROPAGATOR.extract(dict(headers or {}))).get_span_context()
        root = _root(ref)
        context = trace.set_span_in_context(
            trace.NonRecordingSpan(sender if sender.trace_id == root.trace_id else root), Context()
        )
        links = [trace.Link(sender)] if sender.is_valid and sender.trace_id != root.trace_id else []
        names = {"ucoder.run": ref.run, "ucoder.name": ref.name, "messaging.system": "nats"}
        with self._tracer.start_as_current_span(
            arrow, context, trace.SpanKind.CONSUMER, names, links, record_exception=False
        ) as span:
            yield span

    @contextlib.contextmanager
    def call(self, method: str, metadata: Mapping[str, str]) -> Iterator[trace.Span]:
        """A span around one call that is answered."""
        names = {"rpc.system": "grpc", "rpc.method": method}
        context = _PROPAGATOR.extract(metadata)
        with self._tracer.start_as_current_span(
            method.rsplit("/", 1)[-1], context, trace.SpanKind.SERVER, names, record_exception=False
        ) as span:
            yield span


def trace_id(run: str, name: str) -> int:
    """The trace of a brief, or of an iteration's other artefacts, by name."""
    return int.from_bytes(hashlib.sha256(f"{run}/{name}".encode()).digest()[:16], "big")


def carried() -> dict[str, str]:
    """The current span as headers."""
    found: dict[str, str] = {}
    _PROPAGATOR.inject(found)
    return found


class Carrier(grpc.aio.UnaryUnaryClientInterceptor, grpc.aio.UnaryStreamClientInterceptor):
    """Sends the current span along with a call to another service."""

    async def intercept_unary_unary(self, continuation: Any, details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        """See grpc."""
        return await continuation(_carrying(details), request)

    async def intercept_unary_stream(self, continuation: Any, details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        """See grpc."""
        return await continuation(_carrying(details), request)


def _carrying(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()), *carried().items())
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


def _root(ref: pb.Ref) -> trace.SpanContext:
    """The invisible first span of an artefact's trace."""
    number = trace_id(ref.run, ref.name)
    return trace.SpanContext(number, number & (1 << 64) - 1 or 1, True, trace.TraceFlags(trace.TraceFlags.SAMPLED))
