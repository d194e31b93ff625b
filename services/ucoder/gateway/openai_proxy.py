"""The proxy's routes: chat completions, completions, models; everything else is an error in OpenAI's format."""

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
from ucoder.gateway.best_answer import EXTRA, Chosen, choose, prompt_of, wishes_of
from ucoder.gateway.event_stream import chunks
from ucoder.gateway.upstream import Upstream, UpstreamRefused, refusal

MOST = 1024
"""Samples for one answer."""
LARGEST = 16 << 20
"""Bytes of one request."""

ALONE = Chosen([0], {"applied": False, "reason": "one_sample", "n": 1})


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many programs compete for an answer, and how different they are."""

    n: int = 16
    temperature: float = 0.8
    """Where the client names none, or 0: equal samples could not disagree."""


def proxy(upstream: Upstream, client: AsyncClient, sampling: Sampling) -> Starlette:
    """The application. It closes `upstream` and leaves `client` to whoever opened it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await upstream.close()

    async def models(request: Request) -> Response:
        return JSONResponse(await upstream.models(request.headers.get("authorization", "")))

    async def complete(request: Request) -> Response:
        body = await _body(request)
        wishes = wishes_of(body)
        wanted = body.get("n") or 1
        plain = any(body.get(field) for field in ("tools", "functions", "response_format"))
        n = wanted if plain else max(wishes.get("n", sampling.n), wanted)
        if not 1 <= n <= MOST:
            raise Reject(f"{EXTRA}.n: {n} is not between 1 and {MOST}.")
        streams = bool(body.pop("stream", False))
        usage_too = bool((body.pop("stream_options", None) or {}).get("include_usage"))
        if n > wanted and not body.get("temperature"):
            body["temperature"] = sampling.temperature
        path = request.url.path.removeprefix("/v1")
        answer = await upstream.sample(path, body, n, request.headers.get("authorization", ""))
        chosen = await choose(client, prompt_of(body), answer["choices"], wishes) if n > 1 else ALONE
        first = [answer["choices"][index] for index in chosen.order[:wanted]]
        answer["choices"] = [{**choice, "index": index} for index, choice in enumerate(first)]
        answer[EXTRA] = chosen.evidence
        if streams:
            return StreamingResponse(chunks(answer, usage_too), media_type="text/event-stream")
        return JSONResponse(answer)

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/completions", complete, methods=["POST"]),
        ],
        exception_handlers={UpstreamRefused: _refused, UcoderError: _ours, HTTPException: _unknown, Exception: _bug},  # type: ignore[dict-item]
        lifespan=lifespan,
    )


async def _body(request: Request) -> dict[str, Any]:
    """The request's JSON object, read no further than the limit."""
    read = bytearray()
    async for part in request.stream():
        read += part
        if len(read) > LARGEST:
            raise Reject(f"the request is larger than {LARGEST >> 20} MB.")
    try:
        body = json.loads(bytes(read))
    except (ValueError, RecursionError) as error:
        raise Reject(f"the body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise Reject("the body is no JSON object.")
    if "model" not in body:
        raise Reject("model: required, and missing.")
    if not isinstance(body.get("n") or 1, int):
        raise Reject(f"n: expected a whole number, found {body['n']!r}.")
    return body


async def _refused(_: Request, error: UpstreamRefused) -> Response:
    return JSONResponse(error.body, error.status)


async def _ours(_: Request, error: UcoderError) -> Response:
    """The caller's fault is 400, too much at once 429, the world's 503: what OpenAI's clients retry."""
    if isinstance(error, Overloaded):
        return JSONResponse(refusal(str(error), "rate_limit_error", code="rate_limit_exceeded"), 429)
    if isinstance(error, Reject):
        return JSONResponse(refusal(str(error), "invalid_request_error"), 400)
    return JSONResponse(refusal(str(error), "api_error"), 503)


async def _bug(_: Request, error: Exception) -> Response:
    return JSONResponse(refusal(f"a bug on our side: {type(error).__name__}; see the log.", "api_error"), 500)


async def _unknown(request: Request, error: HTTPException) -> Response:
    there = "there are /v1/chat/completions, /v1/completions and /v1/models"
    words = f"{error.detail}: {request.method} {request.url.path}; {there}."
    return JSONResponse(refusal(words, "invalid_request_error"), error.status_code)
