"""An answer as server-sent events, for clients that asked for a stream: whole, because it was chosen as a whole."""

import json
from collections.abc import Iterator
from typing import Any

from ucoder.gateway.best_answer import EXTRA


def chunks(answer: dict[str, Any], usage_too: bool) -> Iterator[str]:
    """One event with everything that was said, one with the reasons for its end and the evidence, then the marks of
    the end that the client expects."""
    chat = answer.get("object") == "chat.completion"
    head: dict[str, Any] = {
        key: answer[key] for key in ("id", "created", "model", "system_fingerprint") if key in answer
    }
    head["object"] = "chat.completion.chunk" if chat else "text_completion"
    yield _event({**head, "choices": [_said(choice) for choice in answer["choices"]]})
    ended = [{"index": c["index"], "finish_reason": c.get("finish_reason") or "stop"} for c in answer["choices"]]
    empty: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
    yield _event({**head, "choices": [{**empty, **one} for one in ended], EXTRA: answer[EXTRA]})
    if usage_too:
        yield _event({**head, "choices": [], "usage": answer.get("usage")})
    yield "data: [DONE]\n\n"


def _said(choice: dict[str, Any]) -> dict[str, Any]:
    said = {"index": choice["index"], "finish_reason": None}
    if "message" not in choice:
        return {**said, "text": choice.get("text", "")}
    message = dict(choice["message"])
    if message.get("tool_calls"):
        message["tool_calls"] = [{"index": at, **call} for at, call in enumerate(message["tool_calls"])]
    return {**said, "delta": message}


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
