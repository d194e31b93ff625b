"""The checks around each HTTP request: token, load limits, quota, body size, metrics, trace, and a client that leaves.

A handler only computes and raises. The checks do the rest, as those of the gRPC server do. Each group of paths has an
error style of its own, because its clients expect one.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ucoder.errors import Misconfigured, Overloaded, Reject, Retry, UcoderError
from ucoder.runtime.authentication import CALLER, CallerTokens
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.quotas import Quotas

log = structlog.get_logger()
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
LEFT = 499
"""The status, in the metrics alone, of a request whose client has left."""


class NoToken(Misconfigured):
    """The request has no token, or an unknown one."""


class BodyTooLarge(Reject):
    """The body is larger than the limit."""


class Bug(UcoderError):
    """An error that nobody expected. Its cause is in the log and never in the answer."""


@dataclass(slots=True)
class Incoming:
    """A request that was admitted, with its body."""

    request: Request
    body: bytes
    metadata: tuple[tuple[str, str], ...] = ()
    """Metadata for the calls to other services: the caller's own token."""

    def json(self) -> Any:
        """Returns the body as JSON. Raises Reject where it is none."""
        try:
            value = json.loads(self.body)
            return _without_halves(value) if _HALF.search(self.body) else value
        except (ValueError, RecursionError) as error:
            raise Reject(f"the body is not JSON: {str(error)[:200]}.") from None

    def json_object(self) -> dict[str, Any]:
        """Returns the body as a JSON object. Raises Reject where it is none."""
        if not isinstance(value := self.json(), dict):
            raise Reject("the body is not a JSON object.")
        return value


Handler = Callable[[Incoming], Awaitable[Response]]
ErrorStyle = Callable[[UcoderError], Response]


@dataclass
class RequestChecks:
    """The load, the quotas and the known callers of one gateway."""

    context: ServiceContext
    tokens: CallerTokens = field(init=False)
    quotas: Quotas = field(init=False)
    _calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        settings = self.context.settings
        self.tokens = CallerTokens(settings.tokens_file)
        self.quotas = Quotas(settings.gateway_requests_per_minute)

    def route(
        self, path: str, handler: Handler, style: ErrorStyle, method: str = "POST", *, open_to_all: bool = False
    ) -> Route:
        """Returns the route of a handler with the checks around it. `open_to_all` needs no token: health probes."""

        return Route(path, Endpoint(self, path, handler, style, method, open_to_all), methods=[method])

    async def answer(self, request: Request, endpoint: "Endpoint", send: Send) -> int:
        """Answers one request, whose stream may go on for long, and returns the status that was sent."""
        caller, admitted = "", False
        try:
            try:
                caller = self._caller(request, endpoint.open_to_all)
                self._admit(caller)
                admitted = True
                body = await self._body(request)
                token = request.headers.get("authorization", "") if self.context.settings.tokens_file else ""
                incoming = Incoming(request, body, (("authorization", token),) if token else ())
                response = await _until_client_leaves(request, endpoint.handler(incoming))
            except UcoderError as error:
                response = endpoint.style(error)
            except TimeoutError:
                response = endpoint.style(Retry("the time for this request is over."))
            except (ClientDisconnect, asyncio.CancelledError):
                raise
            except Exception as error:
                log.exception("http.bug", path=request.url.path, exc_info=error)
                response = endpoint.style(Bug(f"a bug on our side: {type(error).__name__}; see the log."))
            await _sent(response, request, send)
            return response.status_code
        finally:
            if admitted:
                self._leave(caller)

    def _caller(self, request: Request, open_to_all: bool) -> str:
        header = request.headers.get("authorization", "")
        token = header.removeprefix("Bearer ") or request.headers.get("x-api-key", "")
        caller = self.tokens.caller(token)
        if caller is None and not open_to_all:
            raise NoToken("send `authorization: Bearer TOKEN` with a known token.")
        CALLER.set(caller or "")
        if not open_to_all:
            self.quotas.take(caller or "", 1, "requests")
        return caller or ""

    def _admit(self, caller: str) -> None:
        settings = self.context.settings
        if self._calls.total() >= settings.max_calls:
            raise Overloaded(f"{settings.max_calls} requests at once is the limit; retry.")
        if caller and self._calls[caller] >= settings.max_calls_each:
            raise Overloaded(f"{settings.max_calls_each} requests at once of one caller is the limit; retry.")
        self._calls[caller] += 1

    def _leave(self, caller: str) -> None:
        self._calls[caller] -= 1
        if not self._calls[caller]:
            del self._calls[caller]

    async def _body(self, request: Request) -> bytes:
        """Reads no more bytes than the limit. Raises BodyTooLarge beyond it, at once where the length is known."""
        most = self.context.settings.max_message_mb << 20
        length = request.headers.get("content-length", "0")
        read = bytearray()
        if not (length.isdigit() and int(length) > most):
            async for part in request.stream():
                read += part
                if len(read) > most:
                    break
            else:
                return bytes(read)
        size = f"{int(length) / (1 << 20):.1f} MB" if length.isdigit() and int(length) else "larger"
        raise BodyTooLarge(f"the request is {size}, and the limit is {most >> 20} MB (UCODER_MAX_MESSAGE_MB).")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A handler with the checks around it, as an ASGI application."""

    checks: RequestChecks
    path: str
    handler: Handler
    style: ErrorStyle
    method: str
    open_to_all: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, measured and traced. A client that leaves ends the work for it."""
        request = Request(scope, receive)
        started, status = time.perf_counter(), LEFT
        context = self.checks.context
        try:
            with context.tracing.call_span(f"{self.method} {self.path}", dict(request.headers)):
                status = await self.checks.answer(request, self, send)
        except ClientDisconnect:
            log.debug("http.left", path=self.path)
        finally:
            context.metrics.http_requests.labels(self.path, self.method, str(status)).inc()
            context.metrics.http_seconds.labels(self.path).observe(time.perf_counter() - started)


async def _sent(response: Response, request: Request, send: Send) -> None:
    """Sends a response, and closes what a stream comes from, however it ends."""
    try:
        await response(request.scope, request.receive, send)
    finally:
        close = getattr(getattr(response, "body_iterator", None), "aclose", None)
        if close:
            await close()


async def _until_client_leaves(request: Request, work: Awaitable[Response]) -> Response:
    """Returns the answer of a handler. Cancels it and raises ClientDisconnect when the client closes its connection."""
    answering = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise ClientDisconnect
        return answering.result()
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


def _without_halves(value: Any) -> Any:
    """Returns a JSON value in which half of a surrogate pair, which is no text, is a question mark."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_halves(one) for one in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(one) for key, one in value.items()}
    return value


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
