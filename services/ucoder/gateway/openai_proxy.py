"""The OpenAI-compatible proxy: chat completions, completions and models. Any other path is an error in OpenAI's format.

A client changes only its base URL. The proxy samples n choices for each request, lets the consensus service execute
their programs, and answers with the best ones.
"""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ucoder.client import AsyncClient
from ucoder.errors import Overloaded, Reject, UcoderError
from ucoder.gateway.best_answer import EXTRA_FIELD, NotApplied, pop_options, prompt_of, rank_choices, unranked
from ucoder.gateway.event_stream import events_of
from ucoder.gateway.upstream import Upstream, UpstreamError, error_body

MOST_SAMPLES = 1024
"""The most samples for one answer."""
LARGEST_REQUEST = 16 << 20
"""The most bytes of one request."""


@dataclass(frozen=True, slots=True)
class ProxySampling:
    """The number of choices that are sampled for an answer, and their temperature."""

    n: int = 16
    temperature: float = 0.8
    """Used where the client gives none, or 0, because equal samples cannot disagree."""


def proxy(upstream: Upstream, client: AsyncClient, sampling: ProxySampling) -> Starlette:
    """Returns the application. It closes `upstream` when it ends; the caller closes `client`."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await upstream.close()

    async def models(request: Request) -> Response:
        return JSONResponse(await upstream.models(request.headers.get("authorization", "")))

    async def complete(request: Request) -> Response:
        body = await _body(request)
        options = pop_options(body)
        answers = body.get("n") or 1
        single = any(body.get(field) for field in ("tools", "functions", "response_format"))
        n = answers if single else max(options.get("n", sampling.n), answers)
        if not 1 <= n <= MOST_SAMPLES:
            raise Reject(f"{EXTRA_FIELD}.n: {n} is not between 1 and {MOST_SAMPLES}.")
        as_stream = bool(body.pop("stream", False))
        with_usage = bool((body.pop("stream_options", None) or {}).get("include_usage"))
        if n > answers and not body.get("temperature"):
            body["temperature"] = sampling.temperature
        path = request.url.path.removeprefix("/v1")
        answer = await upstream.sample(path, body, n, request.headers.get("authorization", ""))
        if n > 1:
            ranked = await rank_choices(client, prompt_of(body), answer["choices"], options)
        else:
            ranked = unranked(NotApplied.ONE_SAMPLE, 1)
        best = [answer["choices"][index] for index in ranked.order[:answers]]
        answer["choices"] = [{**choice, "index": index} for index, choice in enumerate(best)]
        answer[EXTRA_FIELD] = ranked.evidence
        if as_stream:
            return StreamingResponse(events_of(answer, with_usage), media_type="text/event-stream")
        return JSONResponse(answer)

    error_handlers: dict[Any, Any] = {
        UpstreamError: _upstream_error,
        UcoderError: _expected_error,
        HTTPException: _unknown_path,
        Exception: _bug,
    }
    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/completions", complete, methods=["POST"]),
        ],
        exception_handlers=error_handlers,
        lifespan=lifespan,
    )


async def _body(request: Request) -> dict[str, Any]:
    """Returns the JSON object of a request. Reads no more bytes than the limit. Raises Reject when it is wrong."""
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > LARGEST_REQUEST:
            raise Reject(f"the request is larger than {LARGEST_REQUEST >> 20} MB.")
    try:
        body = json.loads(bytes(read))
    except (ValueError, RecursionError) as error:
        raise Reject(f"the body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise Reject("the body is not a JSON object.")
    if "model" not in body:
        raise Reject("model: required, and missing.")
    if not isinstance(body.get("n") or 1, int):
        raise Reject(f"n: expected a whole number, found {body['n']!r}.")
    return body


async def _upstream_error(_: Request, error: UpstreamError) -> Response:
    """Passes an error of the model server on unchanged."""
    return JSONResponse(error.body, error.status)


async def _expected_error(_: Request, error: UcoderError) -> Response:
    """Answers 429 for an overload, 400 for a wrong request and 503 for a transient failure, as OpenAI's clients expect.

    OpenAI's clients retry 429 and 503.
    """
    if isinstance(error, Overloaded):
        return JSONResponse(error_body(str(error), "rate_limit_error", code="rate_limit_exceeded"), 429)
    if isinstance(error, Reject):
        return JSONResponse(error_body(str(error), "invalid_request_error"), 400)
    return JSONResponse(error_body(str(error), "api_error"), 503)


async def _bug(_: Request, error: Exception) -> Response:
    return JSONResponse(error_body(f"a bug on our side: {type(error).__name__}; see the log.", "api_error"), 500)


async def _unknown_path(request: Request, error: HTTPException) -> Response:
    paths = "there are /v1/chat/completions, /v1/completions and /v1/models"
    text = f"{error.detail}: {request.method} {request.url.path}; {paths}."
    return JSONResponse(error_body(text, "invalid_request_error"), error.status_code)
