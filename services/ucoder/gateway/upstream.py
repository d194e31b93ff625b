"""The client of the model server behind the proxy. Errors of the model server reach the proxy's client unchanged."""

import asyncio
import json
from typing import Any

import httpx

CHOICES_PER_REQUEST = 128
"""The most choices of one request to the model server. More choices take several requests."""


class UpstreamError(Exception):
    """An error answer of the model server, with its status and body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"the model server answered {status}")
        self.status, self.body = status, body


class Upstream:
    """One OpenAI-compatible server. `api_key` replaces the keys of the clients; without it, their own keys are sent."""

    def __init__(self, url: str, api_key: str = "", seconds: float = 600) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(seconds, connect=10))

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def models(self, authorization: str) -> dict[str, Any]:
        """Returns the server's list of models. Raises UpstreamError."""
        return await self._request("GET", "/models", None, authorization)

    async def sample(self, path: str, body: dict[str, Any], n: int, authorization: str) -> dict[str, Any]:
        """Returns one answer with `n` choices and the token usage of all of them. Raises UpstreamError.

        Some servers ignore `n` and return fewer choices. They receive further concurrent requests until there are
        enough choices, or until a round of requests returns none.
        """
        answers: list[dict[str, Any]] = []
        choices: list[dict[str, Any]] = []
        size = min(n, CHOICES_PER_REQUEST)
        while len(choices) < n:
            bodies = [_part_of(body, first, min(size, n - first)) for first in range(len(choices), n, size)]
            parts = await asyncio.gather(*(self._request("POST", path, part, authorization) for part in bodies))
            more = [choice for part in parts for choice in part.get("choices") or []]
            if not more:
                raise UpstreamError(502, error_body(f"{self.url}: answered without choices.", "api_error"))
            answers += parts
            choices += more
            size = max(1, min(size, len(parts[0].get("choices") or [])))
        return {**answers[0], "choices": choices[:n], "usage": _total(answers)}

    async def _request(self, method: str, path: str, body: dict[str, Any] | None, authorization: str) -> dict[str, Any]:
        bearer = f"Bearer {self._api_key}" if self._api_key else authorization
        try:
            answer = await self._client.request(
                method, self.url + path, json=body, headers={"Authorization": bearer} if bearer else {}
            )
        except httpx.TimeoutException:
            raise UpstreamError(504, error_body(f"{self.url}: no answer in time.", "api_error")) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UpstreamError(502, error_body(f"{self.url}: {type(error).__name__} {error}", "api_error")) from None
        try:
            content = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict):
            raise UpstreamError(
                502, error_body(f"{self.url}: {answer.status_code} without a JSON object.", "api_error")
            )
        if answer.status_code >= 300:
            raise UpstreamError(answer.status_code, content)
        return content


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Returns an error in OpenAI's format."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _part_of(body: dict[str, Any], first: int, size: int) -> dict[str, Any]:
    """Returns the request for some of the choices, with a seed of its own, because equal seeds give equal choices."""
    seed = body.get("seed")
    own_seed = {"seed": seed + first} if isinstance(seed, int) and first else {}
    return {**body, **own_seed, "n": size}


def _total(answers: list[dict[str, Any]]) -> dict[str, int]:
    """Returns the token usage of all answers, because the caller pays for all of them."""
    usages = [answer.get("usage") or {} for answer in answers]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: sum(int(usage.get(name) or 0) for usage in usages) for name in names}
