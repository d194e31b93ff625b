"""JSON over HTTP to a model server that may be slow, full, restarting or wrong; every failure becomes a named error."""

import asyncio
import email.utils
import random
import time
from typing import Any

import httpx

from ucoder.errors import Misconfigured, NotFound, Overloaded, Reject, Retry

RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses that another attempt may not meet again."""
LONGEST_PAUSE_SECONDS = 30.0


class RetryingClient:
    """One server's base address, e.g. http://127.0.0.1:8000/v1."""

    def __init__(self, url: str, *, api_key: str = "", attempts: int = 6, deadline_seconds: float = 600) -> None:
        self.url = url.rstrip("/")
        self._attempts, self._deadline = attempts, deadline_seconds
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(deadline_seconds, connect=10),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def close(self) -> None:
        """Ends open connections."""
        await self._client.aclose()

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer's JSON object, after as many attempts as it takes.

        Raises Overloaded when the server was full to the end, Retry when it was unwell or the deadline passed,
        Misconfigured (key refused, not JSON), NotFound, Reject (the request is wrong).
        """
        answer = await self._answer(method, path, body)
        try:
            content = answer.json()
        except ValueError:
            content = None
        if answer.status_code >= 300 or not isinstance(content, dict):
            raise Misconfigured(
                f"{self.url}: answered {answer.status_code} without a JSON object; is it an OpenAI-compatible server?"
            )
        return content

    async def tell(self, path: str, body: dict[str, Any]) -> None:
        """The same for a request whose answer does not matter once it is a good one."""
        await self._answer("POST", path, body)

    async def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._attempt(method, path, body)
        except TimeoutError:
            raise Retry(f"{self.url}: no answer within {self._deadline:g} s.") from None

    async def _attempt(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        for attempt in range(1, self._attempts + 1):
            try:
                answer = await self._client.request(method, self.url + path, json=body)
            except httpx.TransportError as error:
                last: Retry = Retry(f"{self.url}: {type(error).__name__} {error}".rstrip() + ".")
                wait = None
            except httpx.InvalidURL as error:
                raise Misconfigured(f"{self.url}: {error}.") from None
            else:
                if answer.status_code not in RETRIED_STATUSES:
                    self._check(answer)
                    return answer
                kind = Overloaded if answer.status_code == 429 else Retry
                last = kind(f"{self.url}: {answer.status_code} {_reason(answer)}")
                wait = _retry_after(answer)
            if attempt < self._attempts:
                await asyncio.sleep(retry_pause(attempt) if wait is None else min(wait, LONGEST_PAUSE_SECONDS))
        raise last

    def _check(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status in (401, 403):
            raise Misconfigured(f"{self.url}: {status}, the key is refused; set UCODER_MODEL_API_KEY.")
        if status == 404:
            raise NotFound(f"{self.url}: {_reason(answer)}")
        if status >= 400:
            raise Reject(f"{self.url}: {status} {_reason(answer)}")


def retry_pause(attempt: int) -> float:
    """Seconds before the next attempt: exponential, with full jitter so that callers do not come back together."""
    return random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt))


def _retry_after(answer: httpx.Response) -> float | None:
    """What the server asks for: seconds, or a date."""
    asked = answer.headers.get("Retry-After", "")
    if asked.replace(".", "", 1).isdigit():
        return float(asked)
    when = email.utils.parsedate_tz(asked) if asked else None
    return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else None


def _reason(answer: httpx.Response) -> str:
    """The server's own words, one line of them."""
    try:
        content = answer.json()
        found = content.get("error", content)
        text = found.get("message", found) if isinstance(found, dict) else found
    except (ValueError, AttributeError):
        text = answer.text
    return " ".join(str(text).split())[:300] or answer.reason_phrase
