"""The gRPC server of every process, with the checks around each call.

Handlers only compute and raise. The checks do the rest: token, load limit, validation, deadline, typed errors, metrics
and traces.
"""

import asyncio
import contextlib
import functools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ucoder.errors import Misconfigured, UcoderError, of_call
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
        self.context = context
        self.tokens = CallerTokens(context.settings.tokens_file)
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

        def checked(data: bytes, rpc: Any) -> _CheckedCall:
            parse = functools.partial(handler.request_deserializer, data)
            return _CheckedCall(self, details.method, metadata, parse, rpc)

        async def unary(data: bytes, rpc: Any) -> Message:
            async with checked(data, rpc) as (request, seconds), asyncio.timeout(seconds):
                answer: Message = await handler.unary_unary(request, rpc)
            return answer

        async def stream(data: bytes, rpc: Any) -> AsyncIterator[Message]:
            async with checked(data, rpc) as (request, seconds), asyncio.timeout(seconds):
                async for answer in handler.unary_stream(request, rpc):
                    yield answer

        # No deserializer is passed on: the checks parse the request, because only they can answer a parse error.
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, response_serializer=handler.response_serializer)
        return grpc.unary_unary_rpc_method_handler(unary, response_serializer=handler.response_serializer)

    def admit(self, caller: str) -> str:
        """Admits one more call of a caller; returns the reason instead where a load limit forbids it."""
        settings = self.context.settings
        if self._calls.total() >= settings.max_calls:
            return f"{settings.max_calls} calls at once is the limit; retry."
        if caller and self._calls[caller] >= settings.max_calls_each:
            return f"{settings.max_calls_each} calls at once of one caller is the limit; retry."
        self._calls[caller] += 1
        return ""

    def leave(self, caller: str) -> None:
        """Ends the count of an admitted call."""
        self._calls[caller] -= 1
        if not self._calls[caller]:
            del self._calls[caller]


class _CheckedCall:
    """One call, from its arrival to its status."""

    def __init__(
        self, checks: CallChecks, method: str, metadata: dict[str, str], parse: Callable[[], Message], rpc: Any
    ) -> None:
        self._checks, self._method, self._metadata = checks, method, metadata
        self._parse, self._rpc = parse, rpc
        self._status = grpc.StatusCode.OK
        self._admitted: str | None = None
        self._trace = contextlib.ExitStack()

    async def __aenter__(self) -> tuple[Message, float]:
        """Returns the parsed and valid request, and the seconds that are left for it."""
        checks, settings = self._checks, self._checks.context.settings
        self._started = time.perf_counter()
        self._span = self._trace.enter_context(checks.context.tracing.call_span(self._method, self._metadata))
        try:
            caller = checks.tokens.caller(self._metadata.get("authorization", "").removeprefix("Bearer "))
            CALLER.set(caller or "")
            if caller is None:
                await self._abort(
                    grpc.StatusCode.UNAUTHENTICATED, "send `authorization: Bearer TOKEN` with a known token."
                )
            if refusal := checks.admit(caller or ""):
                await self._abort(grpc.StatusCode.RESOURCE_EXHAUSTED, refusal)
            self._admitted = caller
            try:
                request = self._parse()
                validate(request)
            except DecodeError as error:
                await self._abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request cannot be read: {error}.")
            except UcoderError as error:
                await self._abort_with(error)
        except BaseException:
            self._end()
            raise
        left = self._rpc.time_remaining()
        return request, settings.rpc_seconds if left is None else min(left, settings.rpc_seconds)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        error = of_call(error) if isinstance(error, grpc.aio.AioRpcError) else error
        try:
            if isinstance(error, UcoderError):
                await self._abort_with(error)
            elif isinstance(error, TimeoutError):
                await self._abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the answer was ready.")
            elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
                log.exception("call.bug", method=self._method, exc_info=error)
                await self._abort(grpc.StatusCode.INTERNAL, f"a bug on our side: {type(error).__name__}; see the log.")
            elif isinstance(error, asyncio.CancelledError):
                self._status = grpc.StatusCode.CANCELLED
        finally:
            self._end()

    async def _abort_with(self, error: UcoderError) -> None:
        await self._abort(grpc.StatusCode[error.status], str(error), error.metadata)

    async def _abort(self, status: grpc.StatusCode, details: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self._status = status
        await self._rpc.abort(status, details, metadata)

    def _end(self) -> None:
        """Frees the call's place and records its metrics and span."""
        if self._admitted is not None:
            self._checks.leave(self._admitted)
        metrics = self._checks.context.metrics
        metrics.calls.labels(self._method, self._status.name).inc()
        metrics.call_seconds.labels(self._method).observe(time.perf_counter() - self._started)
        self._span.set_attribute("rpc.grpc.status", self._status.name)
        self._trace.close()
