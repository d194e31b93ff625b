"""The OpenAI-compatible paths of a real gateway with a scripted model server, called by OpenAI's own client."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from ucoder.runtime.settings import Settings

from .conftest import gateway_here
from .model_server import ScriptedModel

PROMPT = 'def add(a: int, b: int) -> int:\n    """The sum.\n\n    >>> add(1, 2)\n    3\n    """\n'
FENCED = "Sure!\n```python\ndef add(a: int, b: int) -> int:\n    return {}\n```\nThis adds."
RIGHT, WRONG = FENCED.format("a + b"), FENCED.format("a - b")
FIVE = {"ucoder": {"n": 5}}


@pytest.fixture
def model(model_server: tuple[ScriptedModel, str]) -> ScriptedModel:
    model_server[0].reset(RIGHT)
    return model_server[0]


@pytest.fixture
def client(gateway_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key="key-of-alice", max_retries=0) as opened:
        yield opened


def chat(client: openai.OpenAI, content: Any = PROMPT, **fields: Any) -> Any:
    fields.setdefault("extra_body", FIVE)
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}], **fields)


def test_the_answer_is_the_one_that_most_programs_agree_with(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset(WRONG, RIGHT, RIGHT, "I am not sure.", RIGHT)
    answer = chat(client, extra_body={"ucoder": {"n": 5, "inputs": 12}})
    assert [choice.message.content for choice in answer.choices] == [RIGHT]
    evidence = answer.ucoder
    assert evidence["applied"]
    assert len(evidence["clusters"][0]["members"]) == 3
    assert evidence["tests"][0] == "assert add(1, 2) == 3"
    assert evidence["disagreements"][0]["outputs"][0] != evidence["disagreements"][0]["outputs"][1]
    assert answer.usage.completion_tokens == 5
    as_asked, others = sorted(model.requests, key=lambda request: request["n"])
    assert (as_asked["n"], as_asked.get("temperature")) == (1, None)
    assert (others["n"], others["temperature"]) == (4, 0.8)
    assert "ucoder" not in as_asked
    assert set(model.keys) == {"Bearer key-of-alice"}


def test_tests_of_the_client_decide(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset(WRONG, WRONG, RIGHT, WRONG, WRONG)
    options = {"tests": [f"assert add({a}, 1) == {a + 1}" for a in range(30)], "entry_point": "add"}
    answer = chat(client, "Hello.", extra_body={"ucoder": {**options, "n": 5, "strategy": "codet"}})
    assert answer.choices[0].message.content == RIGHT


def test_a_server_that_ignores_n_receives_more_requests(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset(WRONG, RIGHT, RIGHT, RIGHT, most=1)
    answer = chat(client, seed=7, temperature=0.3, n=2, extra_body={"ucoder": {"n": 4}})
    assert [choice.message.content for choice in answer.choices] == [RIGHT, RIGHT]
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert sorted(request["seed"] for request in model.requests) == [7, 8, 9, 10]
    assert {request["temperature"] for request in model.requests} == {0.3}


def test_completions_continue_the_prompt(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset("    return a - b\n", "    return a + b\n", "    return b + a\n")
    three = {"ucoder": {"n": 3}}
    answer = client.completions.create(model="m", prompt=PROMPT, max_tokens=50, extra_body=three)
    assert answer.choices[0].text in ("    return a + b\n", "    return b + a\n")
    assert answer.ucoder["program"].startswith("def add(")
    model.reset("    return a + b\n")
    both = client.completions.create(model="m", prompt=[PROMPT, PROMPT], n=2, extra_body=three)
    assert [choice.index for choice in both.choices] == [0, 1, 2, 3]
    assert len(both.ucoder["prompts"]) == 2


def test_prose_is_one_request_and_passes_through_unaltered(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset("Hello! How are you?")
    raw = client.chat.completions.with_raw_response.create(
        model="m", messages=[{"role": "user", "content": "Say hello."}], temperature=0.1, logprobs=True
    )
    assert raw.headers["x-ucoder"] == "not-applied; reason=not_asked"
    assert raw.headers["x-request-id"] == "of-the-model-server"
    assert raw.parse().choices[0].message.content == "Hello! How are you?"
    [request] = model.requests
    assert request == {"model": "m", "messages": [{"role": "user", "content": "Say hello."}],
                       "temperature": 0.1, "logprobs": True}  # fmt: skip
    with client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Say hello."}], stream=True
    ) as stream:
        first = next(iter(stream))
        assert first.choices[0].delta.content == "Hello! "
        model.first_seen.set()
        assert [chunk.choices[0].delta.content for chunk in stream] == ["How ", "are ", "you? "]
    assert len(model.requests) == 2


def test_a_coding_answer_that_cannot_be_judged_is_the_first_one(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset("I would rather not.")
    answer = chat(client)
    assert answer.choices[0].message.content == "I would rather not."
    assert answer.ucoder == {"applied": False, "reason": "not_code", "n": 1}
    model.reset("```python\ndef f(x):\n    return x.y\n```")
    answer = chat(client, "Write a function f(x).")
    assert answer.ucoder["reason"] == "no_inputs"
    assert "parameter x" in answer.ucoder["detail"]
    assert chat(client, extra_body={"ucoder": {"n": 1}}).to_dict().get("ucoder") is None


def test_tools_pass_through_when_they_are_called(client: openai.OpenAI, model: ScriptedModel) -> None:
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    model.reset("")
    model.fields = {"content": None, "tool_calls": [call]}
    answer = chat(client, tools=tools)
    assert answer.choices[0].message.tool_calls[0].function.name == "f"
    assert len(model.requests) == 1
    model.reset(WRONG, RIGHT, RIGHT)
    assert chat(client, tools=tools).choices[0].message.content == RIGHT


def test_a_stream_is_one_chunk_and_its_end(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset(WRONG, RIGHT, RIGHT)
    events = list(chat(client, stream=True, stream_options={"include_usage": True}, extra_body={"ucoder": {"n": 3}}))
    assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == RIGHT
    assert events[0].choices[0].delta.role == "assistant"
    assert events[1].choices[0].finish_reason == "stop"
    assert events[1].ucoder["applied"]
    assert events[2].usage.completion_tokens == 3
    assert len(events) == 3


def test_models_are_those_of_the_server(client: openai.OpenAI, model: ScriptedModel) -> None:
    assert [one.id for one in client.models.list()] == ["m", "other/one"]
    assert client.models.retrieve("other/one").id == "other/one"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("gpt")
    model.reset(RIGHT)
    asked = [{"role": "user", "content": PROMPT}]
    client.chat.completions.create(model="m+other/one", messages=asked, extra_body=FIVE)  # type: ignore[arg-type]
    assert {request["model"] for request in model.requests} == {"m", "other/one"}


def test_errors_have_openai_s_format_and_pass_through(client: openai.OpenAI, model: ScriptedModel) -> None:
    full: dict[str, Any] = {"error": {"message": "slow down", "type": "rate_limit_error"}}
    for content in (PROMPT, "Say hello."):
        model.refusals = [(429, full, {"retry-after": "7"})] * 2
        with pytest.raises(openai.RateLimitError, match="slow down") as refused:
            chat(client, content)
        assert refused.value.response.headers["retry-after"] == "7"
    model.refusals = []
    for options, words in (
        ({"tests": "f(1)"}, "ucoder.tests: expected a list"),
        ({"best": 1}, "ucoder.best: no such field"),
        ({"n": 5000}, "5000 is not between 1 and 1024"),
        ({"strategy": "luck"}, "no strategy is called 'luck'"),
        ({"n": "many"}, "ucoder.n: expected int"),
    ):
        with pytest.raises(openai.BadRequestError, match=words) as caught:
            chat(client, extra_body={"ucoder": options})
        assert caught.value.type == "invalid_request_error"
    answer = httpx.post(f"{client.base_url}chat/completions", content=b"{")
    assert answer.status_code == 400
    assert "not JSON" in json.loads(answer.content)["error"]["message"]


def test_a_client_that_leaves_ends_the_requests_to_the_model(client: openai.OpenAI, model: ScriptedModel) -> None:
    model.reset(RIGHT)
    model.seconds = 30.0
    for content, requests in ((PROMPT, 2), ("Say hello.", 1)):
        model.left = 0
        with pytest.raises(openai.APITimeoutError):
            chat(client, content, timeout=0.4)
        end = time.monotonic() + 1
        while model.left < requests and time.monotonic() < end:
            time.sleep(0.02)
        assert model.left == requests


def test_without_the_consensus_service_the_first_answer_goes_out(model_server: tuple[ScriptedModel, str]) -> None:
    model_server[0].reset(RIGHT)
    away = Settings(peers="consensus=127.0.0.1:9,sandbox_runner=127.0.0.1:9", gateway_upstream=model_server[1])
    with gateway_here(away) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        answer = chat(client)
        assert answer.choices[0].message.content == RIGHT
        assert answer.ucoder["reason"] == "unavailable"
