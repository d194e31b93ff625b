"""One trace from brief to training row: OpenTelemetry spans, W3C Trace Context in message headers and call metadata.

A brief's trace id is computed from its name, so a redelivered, requeued or resumed message continues the same trace,
and `ucoder trace` can print its id. Without `UCODER_OTLP_URL` nothing is recorded, but callers' headers are passed on.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
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
    """The spans of one process; `close` sends what was recorded."""

    def __init__(self, settings: Settings, services: tuple[str, ...]) -> None:
        """Raises Misconfigured when a collector is set and the `tracing` extra is not installed."""
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

    def message_span(
        self, arrow: str, ref: pb.Ref, headers: Mapping[str, str] | None
    ) -> AbstractContextManager[trace.Span]:
        """Opens a span around the work on one message, in its artefact's trace, linked to the publisher's span."""
        sender = trace.get_current_span(_PROPAGATOR.extract(dict(headers or {}))).get_span_context()
        number = trace_id(ref.run, ref.name)
        sampled = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        root = trace.SpanContext(number, number & (1 << 64) - 1 or 1, True, sampled)  # it is never recorded itself
        parent = trace.NonRecordingSpan(sender if sender.trace_id == number else root)
        context = trace.set_span_in_context(parent, Context())
        links = [trace.Link(sender)] if sender.is_valid and sender.trace_id != number else []
        names = {"ucoder.run": ref.run, "ucoder.name": ref.name, "messaging.system": "nats"}
        return self._tracer.start_as_current_span(
            arrow, context, trace.SpanKind.CONSUMER, names, links, record_exception=False
        )

    def call_span(self, method: str, metadata: Mapping[str, str]) -> AbstractContextManager[trace.Span]:
        """Opens a span around the answer to one gRPC call."""
        return self._tracer.start_as_current_span(
            method.rsplit("/", 1)[-1],
            _PROPAGATOR.extract(metadata),
            trace.SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.method": method},
            record_exception=False,
            set_status_on_exception=False,
        )


def trace_id(run: str, name: str) -> int:
    """Returns the trace id of a brief, or of another artefact of an iteration."""
    return int.from_bytes(hashlib.sha256(f"{run}/{name}".encode()).digest()[:16], "big")


def trace_headers() -> dict[str, str]:
    """Returns the current span as message headers."""
    headers: dict[str, str] = {}
    _PROPAGATOR.inject(headers)
    return headers


class TraceSender(grpc.aio.UnaryUnaryClientInterceptor, grpc.aio.UnaryStreamClientInterceptor):
    """Sends the current span with each call to another service, so that the callee's span joins the trace."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Adds the trace headers; the parameters are those of grpc."""
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *trace_headers().items())
        return await continuation(details._replace(metadata=metadata), request)

    intercept_unary_stream = intercept_unary_unary  # type: ignore[assignment]  # only the answers differ in type
