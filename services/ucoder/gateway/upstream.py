"""The model server behind the proxy: its answers, and its refusals as they are."""

import asyncio
import json
from typing import Any

import httpx

MOST_CHOICES = 128
"""Choices asked for in one request; several requests bring more."""


class UpstreamRefused(Exception):
    """An answer that is an error: status and body go on to the client unchanged."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"upstream answered {status}")
        self.status, self.body = status, body


class Upstream:
    """One OpenAI-compatible server. `api_key` replaces what clients send; without it theirs goes through."""

    def __init__(self, url: str, api_key: str = "", seconds: float = 600) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(seconds, connect=10))

    async def close(self) -> None:
        """Ends open connections."""
        await self._client.aclose()

    async def models(self, authorization: str) -> dict[str, Any]:
        """What the server lists. Raises Refused."""
        return await self._ask("GET", "/models", None, authorization)

    async def sample(self, path: str, body: dict[str, Any], n: int, authorization: str) -> dict[str, Any]:
        """One answer with `n` choices and the tokens of all of them. Raises Refused.

        Servers that give fewer choices than asked for (some know no `n`) are asked again, side by side, until there
        are enough or a round brings none.
        """
        answers: list[dict[str, Any]] = []
        choices: list[dict[str, Any]] = []
        portion = min(n, MOST_CHOICES)
        while len(choices) < n:
            asked = [_portion(body, first, min(portion, n - first)) for first in range(len(choices), n, portion)]
            round_ = await asyncio.gather(*(self._ask("POST", path, one, authorization) for one in asked))
            found = [choice for answer in round_ for choice in answer.get("choices") or []]
            if not found:
                raise UpstreamRefused(502, refusal(f"{self.url}: answered without choices.", "api_error"))
            answers += round_
            choices += found
            portion = max(1, min(portion, len(round_[0].get("choices") or [])))
        return {**answers[0], "choices": choices[:n], "usage": _total(answers)}

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None, authorization: str) -> dict[str, Any]:
        bearer = f"Bearer {self._api_key}" if self._api_key else authorization
        try:
            answer = await self._client.request(
                method, self.url + path, json=body, headers={"Authorization": bearer} if bearer else {}
            )
        except httpx.TimeoutException:
            raise UpstreamRefused(504, refusal(f"{self.url}: no answer in time.", "api_error")) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UpstreamRefused(502, refusal(f"{self.url}: {type(error).__name__} {error}", "api_error")) from None
        try:
            content = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict):
            raise UpstreamRefused(502, refusal(f"{self.url}: {answer.status_code} without a JSON object.", "api_error"))
        if answer.status_code >= 300:
            raise UpstreamRefused(answer.status_code, content)
        return content


def refusal(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """An error in OpenAI's format."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _portion(body: dict[str, Any], first: int, size: int) -> dict[str, Any]:
    """The request for some of the choices. A seed is moved on, or every portion would bring the same ones."""
    seed = body.get("seed")
    moved = {"seed": seed + first} if isinstance(seed, int) and first else {}
    return {**body, **moved, "n": size}


def _total(answers: list[dict[str, Any]]) -> dict[str, int]:
    """Tokens of all answers, for all of them were paid for."""
    usages = [answer.get("usage") or {} for answer in answers]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return {name: sum(int(usage.get(name) or 0) for usage in usages) for name in names}
