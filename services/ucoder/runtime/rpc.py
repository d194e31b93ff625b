"""The gRPC side of every service: typed errors, deadlines, size limits, load limit, tokens, validation, metrics."""

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

from ucoder.errors import Misconfigured, UcoderError, of_call
from ucoder.runtime import tls
from ucoder.runtime.authentication import CALLER, CallerTokens
from ucoder.runtime.metrics import Metrics
from ucoder.runtime.settings import Settings
from ucoder.runtime.validation import validate

log = structlog.get_logger()
OPEN = ("/grpc.health.v1.Health/", "/grpc.reflection.")  # probes come without a token


class Doorkeeper(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server; a handler itself only computes and raises."""

    def __init__(self, settings: Settings, telemetry: Metrics) -> None:
        self._settings, self._telemetry = settings, telemetry
        self._tokens = CallerTokens(settings.tokens_file)
        self._calls: Counter[str] = Counter()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler, guarded. Handlers take one request; what they answer is one message or a stream."""
        details = handler_call_details
        handler = await continuation(details)
        if handler is None or details.method.startswith(OPEN) or handler.request_streaming:
            return handler
        metadata = {key: str(value) for key, value in details.invocation_metadata}

        def guard(data: bytes, context: Any) -> _Guard:
            return _Guard(
                self, details.method, metadata, functools.partial(handler.request_deserializer, data), context
            )

        async def unary(data: bytes, context: Any) -> Message:
            async with guard(data, context) as (request, seconds), asyncio.timeout(seconds):
                answer: Message = await handler.unary_unary(request, context)
            return answer

        async def stream(data: bytes, context: Any) -> AsyncIterator[Message]:
            async with guard(data, context) as (request, seconds), asyncio.timeout(seconds):
                async for answer in handler.unary_stream(request, context):
                    yield answer

        make = (
            grpc.unary_stream_rpc_method_handler if handler.response_streaming else grpc.unary_unary_rpc_method_handler
        )
        return make(
            stream if handler.response_streaming else unary,
            response_serializer=handler.response_serializer,  # what comes in is read by the guard, which can say no
        )

    def admit(self, caller: str) -> str:
        """Counts one more call of a caller; where there is no room for it, says so instead."""
        settings = self._settings
        if self._calls.total() >= settings.max_calls:
            return f"{settings.max_calls} calls at once is the limit; retry."
        if caller and self._calls[caller] >= settings.max_calls_each:
            return f"{settings.max_calls_each} calls at once of one caller is the limit; retry."
        self._calls[caller] += 1
        return ""

    def leave(self, caller: str) -> None:
        """A call that was admitted is over."""
        self._calls[caller] -= 1
        if not self._calls[caller]:
            del self._calls[caller]


class _Guard:
    """One call from the door to its status."""

    def __init__(
        self, keeper: Doorkeeper, method: str, metadata: dict[str, str], read: Callable[[], Message], context: Any
    ) -> None:
        self._keeper, self._method, self._metadata = keeper, method, metadata
        self._read, self._context = read, context
        self._status = grpc.StatusCode.OK
        self._admitted: str | None = None
        self._trace = contextlib.ExitStack()

    async def __aenter__(self) -> tuple[Message, float]:
        """The request, once it may be worked on, and the seconds there are for it."""
        keeper = self._keeper
        self._started = time.perf_counter()
        self._span = self._trace.enter_context(keeper._telemetry.tracing.call(self._method, self._metadata))
        try:
            caller = keeper._tokens.caller(self._metadata.get("authorization", "").removeprefix("Bearer "))
            CALLER.set(caller or "")
            if caller is None:
                await self._abort(
                    grpc.StatusCode.UNAUTHENTICATED, "send `authorization: Bearer TOKEN` with a known token."
                )
            if no_room := keeper.admit(caller or ""):
                await self._abort(grpc.StatusCode.RESOURCE_EXHAUSTED, no_room)
            self._admitted = caller
            try:
                request = self._read()
                validate(request)
            except DecodeError as error:
                await self._abort(grpc.StatusCode.INVALID_ARGUMENT, f"the request cannot be read: {error}.")
            except UcoderError as error:
                await self._abort(grpc.StatusCode[error.status], str(error))
        except BaseException:
            self._count()
            raise
        left = self._context.time_remaining()
        return request, keeper._settings.rpc_seconds if left is None else min(left, keeper._settings.rpc_seconds)

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        error = of_call(error) if isinstance(error, grpc.aio.AioRpcError) else error
        try:
            if isinstance(error, UcoderError):
                await self._abort(grpc.StatusCode[error.status], str(error), error.metadata)
            elif isinstance(error, TimeoutError):
                await self._abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the answer was ready.")
            elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
                log.exception("call.bug", method=self._method, exc_info=error)
                await self._abort(grpc.StatusCode.INTERNAL, f"a bug on our side: {type(error).__name__}; see the log.")
            elif isinstance(error, asyncio.CancelledError):
                self._status = grpc.StatusCode.CANCELLED
        finally:
            self._count()

    async def _abort(self, status: grpc.StatusCode, words: str, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self._status = status
        await self._context.abort(status, words, metadata)

    def _count(self) -> None:
        keeper = self._keeper
        if self._admitted is not None:
            keeper.leave(self._admitted)
        keeper._telemetry.calls.labels(self._method, self._status.name).inc()
        keeper._telemetry.call_seconds.labels(self._method).observe(time.perf_counter() - self._started)
        self._span.set_attribute("rpc.grpc.status", self._status.name)
        self._trace.close()


def open_port(server: grpc.aio.Server, settings: Settings) -> int:
    """Binds the door and answers its port; Misconfigured when it is taken or a certificate cannot be read."""
    try:
        if (credentials := tls.of_doors(settings)) is None:
            return server.add_insecure_port(settings.listen)
        return server.add_secure_port(settings.listen, credentials)
    except RuntimeError:
        raise Misconfigured(f"cannot listen at {settings.listen}: in use, or not ours; set UCODER_LISTEN.") from None
