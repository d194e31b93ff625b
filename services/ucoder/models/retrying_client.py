"""JSON over HTTP to a model server, with the retry policy of model requests: attempts, pauses and the overall deadline.

A server may be slow, full, restarting or wrong. Transient failures are retried; what remains is raised as an error of
`ucoder.errors`.
"""

import asyncio
import email.utils
import random
import time
from typing import Any

import httpx

from ucoder.errors import Misconfigured, NotFound, Overloaded, Reject, Retry

ATTEMPTS = 6
RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses of transient failures: another attempt may succeed."""
LONGEST_PAUSE_SECONDS = 30.0


class RetryingClient:
    """An HTTP client of one server. `url` is the base address, e.g. http://127.0.0.1:8000/v1."""

    def __init__(self, url: str, *, api_key: str = "", deadline_seconds: float = 600) -> None:
        """`deadline_seconds` bounds all attempts at one request together."""
        self.url = url.rstrip("/")
        self._deadline = deadline_seconds
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(deadline_seconds, connect=10),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def close(self) -> None:
        """Closes the open connections."""
        await self._client.aclose()

    async def request_json(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Sends a request and returns the JSON object of the answer.

        Raises Overloaded when the server was full at every attempt, Retry when it kept failing or the deadline passed,
        Misconfigured when it refuses the key or answers no JSON object, NotFound, and Reject when the request is wrong.
        """
        answer = await self.request(method, path, body)
        try:
            content = answer.json()
        except ValueError:
            content = None
        if answer.status_code >= 300 or not isinstance(content, dict):
            raise Misconfigured(
                f"{self.url}: answered {answer.status_code} without a JSON object; is it an OpenAI-compatible server?"
            )
        return content

    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Sends a request and returns the answer, whatever it contains; raises the errors of `request_json`."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._request_with_retries(method, path, body)
        except TimeoutError:
            raise Retry(f"{self.url}: no answer within {self._deadline:g} s.") from None

    async def _request_with_retries(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = await self._client.request(method, self.url + path, json=body)
            except httpx.TransportError as error:
                last: Retry = Retry(f"{self.url}: {type(error).__name__} {error}".rstrip() + ".")
                pause = None
            except httpx.InvalidURL as error:
                raise Misconfigured(f"{self.url}: {error}.") from None
            else:
                if answer.status_code not in RETRIED_STATUSES:
                    self._raise_for_status(answer)
                    return answer
                kind = Overloaded if answer.status_code == 429 else Retry
                last = kind(f"{self.url}: {answer.status_code} {_reason(answer)}")
                pause = _retry_after_seconds(answer)
            if attempt < ATTEMPTS:
                # where the server asks for no pause: exponential back-off with full jitter, so that callers spread out
                backoff = random.uniform(0, min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt))
                await asyncio.sleep(backoff if pause is None else min(pause, LONGEST_PAUSE_SECONDS))
        raise last

    def _raise_for_status(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status in (401, 403):
            raise Misconfigured(f"{self.url}: {status}, the server refuses the key; set UCODER_MODEL_API_KEY.")
        if status == 404:
            raise NotFound(f"{self.url}: {_reason(answer)}")
        if status >= 400:
            raise Reject(f"{self.url}: {status} {_reason(answer)}")


def _retry_after_seconds(answer: httpx.Response) -> float | None:
    """Returns the pause that the server asks for, given there as seconds or as a date; None when it asks for none."""
    header = answer.headers.get("Retry-After", "")
    if header.replace(".", "", 1).isdigit():
        return float(header)
    date = email.utils.parsedate_tz(header) if header else None
    return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else None


def _reason(answer: httpx.Response) -> str:
    """Returns the server's own error message in one line of at most 300 characters."""
    try:
        content = answer.json()
        error = content.get("error", content)
        text = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        text = answer.text
    return " ".join(str(text).split())[:300] or answer.reason_phrase
