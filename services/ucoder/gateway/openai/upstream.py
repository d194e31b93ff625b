"""The client of the model server behind the OpenAI-compatible paths. Its answers and errors reach the client unchanged.

A request to it ends when the client leaves, because the task that awaits it is cancelled.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
from starlette.responses import Response, StreamingResponse

CHOICES_PER_REQUEST = 128
"""The most choices of one request to the model server. More choices take several requests."""
PASSED_ON = (
    "retry-after", "retry-after-ms", "x-request-id", "x-should-retry", "openai-processing-ms", "openai-version",
    "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
)  # fmt: skip
"""Headers of the model server that the client gets."""


class UpstreamError(Exception):
    """An error answer of the model server, with its status, body and headers."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"the model server answered {status}")
        self.status, self.body, self.headers = status, body, dict(headers or {})


class Upstream:
    """One OpenAI-compatible server. `api_key` replaces the keys of the clients; without it, their own keys are sent."""

    def __init__(self, url: str, api_key: str = "", seconds: float = 600) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(seconds, connect=10), limits=limits)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def get(self, path: str, authorization: str) -> dict[str, Any]:
        """Returns the server's answer to a path. Raises UpstreamError."""
        return (await self._request("GET", path, None, authorization))[0]

    async def answer(
        self, path: str, body: dict[str, Any], authorization: str
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Returns the answer to one request, and the headers to pass on. Raises UpstreamError."""
        return await self._request("POST", path, body, authorization)

    async def pass_through(
        self, path: str, body: dict[str, Any], authorization: str, extra: Mapping[str, str]
    ) -> Response:
        """Returns the answer to one request byte by byte as it comes, with `extra` headers."""
        request = self._client.build_request("POST", self.url + path, json=body, headers=self._headers(authorization))
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.TimeoutException:
            raise UpstreamError(504, error_body(f"{self.url}: no answer in time.", "api_error")) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UpstreamError(502, error_body(f"{self.url}: {type(error).__name__} {error}", "api_error")) from None
        headers = {**_passed_on(answer.headers), **extra}
        kind = answer.headers.get("content-type", "application/json")
        return StreamingResponse(_bytes_of(answer), answer.status_code, headers, media_type=kind)

    async def models_of(self, name: str, authorization: str) -> list[str]:
        """Returns the models that a name stands for: `a+b` for a and b, where the server lists these and no `a+b`."""
        parts = name.split("+")
        if len(parts) == 1 or not all(parts):
            return [name]
        listed = {one.get("id") for one in (await self.get("/models", authorization)).get("data") or []}
        return parts if name not in listed and listed >= set(parts) else [name]

    async def sample(
        self, path: str, body: dict[str, Any], n: int, authorization: str, models: Sequence[str]
    ) -> dict[str, Any]:
        """Returns one answer with `n` choices and the token usage of all of them. Raises UpstreamError.

        Some servers ignore `n` and return fewer choices. They receive further concurrent requests until there are
        enough choices, or until a round of requests returns none. Several models share the choices.
        """
        shares = [n // len(models) + (index < n % len(models)) for index in range(len(models))]
        asked = [(model, share) for model, share in zip(models, shares, strict=True) if share]
        answers = await asyncio.gather(
            *(self._sampled(path, {**body, "model": model}, share, authorization) for model, share in asked)
        )
        if len(models) == 1:
            return answers[0]
        choices = [
            {**choice, "model": model}
            for (model, _), answer in zip(asked, answers, strict=True)
            for choice in answer["choices"]
        ]
        return {**answers[0], "choices": choices, "usage": total_usage(answers)}

    async def _sampled(self, path: str, body: dict[str, Any], n: int, authorization: str) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        choices: list[dict[str, Any]] = []
        size = min(n, CHOICES_PER_REQUEST)
        while len(choices) < n:
            bodies = [_part_of(body, first, min(size, n - first)) for first in range(len(choices), n, size)]
            parts = [
                part
                for part, _ in await asyncio.gather(
                    *(self._request("POST", path, one, authorization) for one in bodies)
                )
            ]
            more = [choice for part in parts for choice in part.get("choices") or []]
            if not more:
                raise UpstreamError(502, error_body(f"{self.url}: answered without choices.", "api_error"))
            answers += parts
            choices += more
            size = max(1, min(size, len(parts[0].get("choices") or [])))
        return {**answers[0], "choices": choices[:n], "usage": total_usage(answers)}

    def _headers(self, authorization: str) -> dict[str, str]:
        bearer = f"Bearer {self._api_key}" if self._api_key else authorization
        return {"Authorization": bearer} if bearer else {}

    async def _request(
        self, method: str, path: str, body: dict[str, Any] | None, authorization: str
    ) -> tuple[dict[str, Any], dict[str, str]]:
        try:
            answer = await self._client.request(
                method, self.url + path, json=body, headers=self._headers(authorization)
            )
        except httpx.TimeoutException:
            raise UpstreamError(504, error_body(f"{self.url}: no answer in time.", "api_error")) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UpstreamError(502, error_body(f"{self.url}: {type(error).__name__} {error}", "api_error")) from None
        headers = _passed_on(answer.headers)
        try:
            content = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict):
            status = answer.status_code if answer.status_code >= 400 else 502
            words = f"{self.url}: {answer.status_code} without a JSON object."
            raise UpstreamError(status, error_body(words, "api_error"), headers)
        if answer.status_code >= 300:
            raise UpstreamError(answer.status_code, content, headers)
        return content, headers


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Returns an error in OpenAI's format."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def total_usage(answers: list[dict[str, Any]]) -> dict[str, int]:
    """Returns the token usage of all answers, because the caller pays for all of them."""
    usages = [answer.get("usage") or {} for answer in answers]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: sum(int(usage.get(name) or 0) for usage in usages) for name in names}


async def _bytes_of(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_raw():
            yield part
    except httpx.TransportError:
        return  # the model server broke off, and so does this answer
    finally:
        await answer.aclose()


def _passed_on(headers: httpx.Headers) -> dict[str, str]:
    return {name: headers[name] for name in PASSED_ON if name in headers}


def _part_of(body: dict[str, Any], first: int, size: int) -> dict[str, Any]:
    """Returns the request for some of the choices, with a seed of its own, because equal seeds give equal choices."""
    seed = body.get("seed")
    own_seed = {"seed": seed + first} if isinstance(seed, int) and first else {}
    return {**body, **own_seed, "n": size}
