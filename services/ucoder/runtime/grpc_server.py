"""The gRPC server of every process, with the checks around each call.

Handlers only compute and raise. The checks do the rest: token, load limit, validation, deadline, typed errors, metrics
and traces.
"""

import asyncio
import contextlib
import functools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ucoder.errors import Misconfigured, Overloaded, Reject, UcoderError, of_call
from ucoder.runtime import tls
from ucoder.runtime.authentication import CALLER, CallerTokens
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.settings import Settings
from ucoder.runtime.validation import validate

log = structlog.get_logger()
UNCHECKED = ("/grpc.health.v1.Health/", "/grpc.reflection.")
"""Health probes and reflection come without a token."""


def new_server(context: ServiceContext, names: list[str]) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    """Returns a server with health and reflection for the gRPC services of these names, and its health servicer."""
    limit = context.settings.max_message_mb << 20
    server = grpc.aio.server(
        interceptors=[CallChecks(context)],
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.so_reuseport", 0),  # otherwise two servers would silently share one port
            ("grpc.keepalive_time_ms", 60_000),
        ],
    )
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server, servicer


def open_port(server: grpc.aio.Server, settings: Settings) -> int:
    """Opens the port and returns its number; raises Misconfigured when it is taken or a TLS file is missing."""
    try:
        if (credentials := tls.server_credentials(settings)) is None:
            return server.add_insecure_port(settings.listen)
        return server.add_secure_port(settings.listen, credentials)
    except RuntimeError:
        raise Misconfigured(
            f"cannot listen at {settings.listen}: the port is in use or needs more rights; set UCODER_LISTEN."
        ) from None


class CallChecks(grpc.aio.ServerInterceptor):
    """The checks of one server, with the calls in progress by caller."""

    def __init__(self, context: ServiceContext) -> None:
        """Raises Misconfigured when the tokens file cannot be used."""
        self._context, self._tokens = context, CallerTokens(context.settings.tokens_file)
        self._calls: Counter[str] = Counter()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Returns the handler with the checks around it. A handler takes one request and answers once or streams."""
        details = handler_call_details
        handler = await continuation(details)
        if handler is None or details.method.startswith(UNCHECKED) or handler.request_streaming:
            return handler
        metadata = {key: str(value) for key, value in details.invocation_metadata}
        checked = functools.partial(self._checked, details.method, metadata, handler.request_deserializer)

        async def unary(data: bytes, rpc: Any) -> Message:
            async with checked(data, rpc) as request:
                answer: Message = await handler.unary_unary(request, rpc)
            return answer

        async def stream(data: bytes, rpc: Any) -> AsyncIterator[Message]:
            async with checked(data, rpc) as request:
                async for answer in handler.unary_stream(request, rpc):
                    yield answer

        # No deserializer is passed on: the checks parse the request, because only they can answer a parse error.
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, response_serializer=handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(unary, response_serializer=handler.response_serializer)

    @contextlib.asynccontextmanager
    async def _checked(
        self, method: str, metadata: dict[str, str], parse: Callable[[bytes], Message], data: bytes, rpc: Any
    ) -> AsyncIterator[Message]:
        """Yields the parsed and valid request; an error of the block ends the call with its status."""
        status, started = grpc.StatusCode.OK, time.perf_counter()
        settings, metrics = self._context.settings, self._context.metrics

        async def abort(code: grpc.StatusCode, details: str, trailing: tuple[tuple[str, str], ...] = ()) -> None:
            nonlocal status
            status = code
            await rpc.abort(code, details, trailing)

        with self._context.tracing.call_span(method, metadata) as span:
            try:
                caller = self._tokens.caller(metadata.get("authorization", "").removeprefix("Bearer "))
                CALLER.set(caller or "")
                if caller is None:
                    missing = "send `authorization: Bearer TOKEN` with a known token."
                    await abort(grpc.StatusCode.UNAUTHENTICATED, missing)
                with self._counted(caller or ""):
                    try:
                        request = parse(data)
                    except DecodeError as error:
                        raise Reject(f"the request cannot be read: {error}.") from None
                    validate(request)
                    left = rpc.time_remaining()
                    seconds = settings.rpc_seconds if left is None else min(left, settings.rpc_seconds)
                    async with asyncio.timeout(seconds):
                        yield request
            except grpc.aio.AbortError:
                raise
            except asyncio.CancelledError:
                status = grpc.StatusCode.CANCELLED
                raise
            except TimeoutError:
                await abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the answer was ready.")
            except (UcoderError, grpc.aio.AioRpcError) as error:
                ours = error if isinstance(error, UcoderError) else of_call(error)
                await abort(grpc.StatusCode[ours.status], str(ours), ours.metadata)
            except Exception as error:
                log.exception("call.bug", method=method)
                await abort(grpc.StatusCode.INTERNAL, f"a bug on our side: {type(error).__name__}; see the log.")
            finally:
                metrics.calls.labels(method, status.name).inc()
                metrics.call_seconds.labels(method).observe(time.perf_counter() - started)
                span.set_attribute("rpc.grpc.status", status.name)

    @contextlib.contextmanager
    def _counted(self, caller: str) -> Iterator[None]:
        """Adds one to the calls of a caller while the block runs; raises Overloaded where a load limit forbids it."""
        settings = self._context.settings
        if self._calls.total() >= settings.max_calls:
            raise Overloaded(f"{settings.max_calls} calls at once is the limit; retry.")
        if caller and self._calls[caller] >= settings.max_calls_each:
            raise Overloaded(f"{settings.max_calls_each} calls at once of one caller is the limit; retry.")
        self._calls[caller] += 1
        try:
            yield
        finally:
            self._calls[caller] -= 1
            if not self._calls[caller]:
                del self._calls[caller]
