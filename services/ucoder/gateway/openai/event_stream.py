"""Server-sent events for clients that request a stream. The answer is one event, because it was chosen as a whole."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from ucoder.gateway.openai.best_answer import EXTRA_FIELD
from ucoder.gateway.rest_calls import KEEP_ALIVE_SECONDS


def events_of(answer: dict[str, Any], with_usage: bool) -> Iterator[str]:
    """Yields an event with the whole text, one with the finish reasons and the evidence, and the end of the stream."""
    chat = answer.get("object") == "chat.completion"
    head: dict[str, Any] = {
        key: answer[key] for key in ("id", "created", "model", "system_fingerprint") if key in answer
    }
    head["object"] = "chat.completion.chunk" if chat else "text_completion"
    yield _event({**head, "choices": [_chunk(choice) for choice in answer["choices"]]})
    finished = [{"index": c["index"], "finish_reason": c.get("finish_reason") or "stop"} for c in answer["choices"]]
    empty: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
    yield _event({**head, "choices": [{**empty, **one} for one in finished], EXTRA_FIELD: answer[EXTRA_FIELD]})
    if with_usage:
        yield _event({**head, "choices": [], "usage": answer.get("usage")})
    yield "data: [DONE]\n\n"


async def late_events(
    work: asyncio.Task[dict[str, Any]], with_usage: bool, error_of: Callable[[BaseException], dict[str, Any]]
) -> AsyncIterator[str]:
    """Yields comments that keep the connection open until the answer is there, and then its events, or its error."""
    try:
        while not work.done():
            yield ": wait\n\n"
            await asyncio.wait({work}, timeout=KEEP_ALIVE_SECONDS)
        if error := work.exception():
            yield _event(error_of(error))
            return
        for event in events_of(work.result(), with_usage):
            yield event
    finally:
        work.cancel()


def _chunk(choice: dict[str, Any]) -> dict[str, Any]:
    """Returns the chunk with the whole content of a choice."""
    chunk = {"index": choice["index"], "finish_reason": None, "logprobs": choice.get("logprobs")}
    if "message" not in choice:
        return {**chunk, "text": choice.get("text", "")}
    message = dict(choice["message"])
    if message.get("tool_calls"):
        message["tool_calls"] = [{"index": index, **call} for index, call in enumerate(message["tool_calls"])]
    return {**chunk, "delta": message}


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
