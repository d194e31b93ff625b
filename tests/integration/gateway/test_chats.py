"""Forty coding chats of ten styles and twenty chats without a program (chats.jsonl), each sent to a real gateway."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from .model_server import ScriptedModel

CHATS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "chats.jsonl").read_text().splitlines()
]
OF_FORTY = 34


def ask(http: httpx.Client, one: dict[str, Any], **fields: Any) -> httpx.Response:
    body = {"model": "m", "messages": one["messages"], "ucoder": {"n": 4, "inputs": 16}, **fields}
    answer = http.post("/v1/chat/completions", json=body | ({"tools": one["tools"]} if "tools" in one else {}))
    assert answer.status_code == 200, answer.text
    return answer


def test_coding_chats_are_judged_and_the_right_program_is_the_answer(
    http: httpx.Client, model_server: tuple[ScriptedModel, str]
) -> None:
    model, judged, reasons = model_server[0], Counter[str](), []
    coding = [one for one in CHATS if one["style"] != "prose"]
    assert Counter(Counter(one["style"] for one in coding).values()) == {4: 10}
    for one in coding:
        right, also_right, wrong = one["answers"]
        model.reset(wrong, right, also_right, right)  # the wrong program comes first
        answer = ask(http, one).json()
        if answer.get("ucoder", {}).get("applied"):
            judged[one["style"]] += 1
            assert answer["choices"][0]["message"]["content"] in (right, also_right), one["messages"]
        else:
            reasons.append((one["style"], answer.get("ucoder"), one["messages"][-1]["content"]))
    assert judged.total() >= OF_FORTY, reasons


def test_chats_without_a_program_cost_one_request_and_are_unaltered(
    http: httpx.Client, model_server: tuple[ScriptedModel, str]
) -> None:
    model = model_server[0]
    for one in CHATS:
        if one["style"] == "prose":
            model.reset(*one["answers"])
            answer = ask(http, one, temperature=0.0)
            assert answer.json()["choices"][0]["message"]["content"] == one["answers"][0]
            assert [request["temperature"] for request in model.requests] == [0.0], one["messages"]
            assert "ucoder" not in answer.json(), one["messages"]
