"""The OpenAI-compatible proxy with a scripted model server, called by OpenAI's own client."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ucoder.client import AsyncClient
from ucoder.gateway.openai_proxy import ProxySampling, proxy
from ucoder.gateway.upstream import Upstream

PROMPT = 'def add(a: int, b: int) -> int:\n    """The sum.\n\n    >>> add(1, 2)\n    3\n    """\n'
FENCED = "Sure!\n```python\ndef add(a: int, b: int) -> int:\n    return {}\n```\nThis adds."
RIGHT, WRONG = FENCED.format("a + b"), FENCED.format("a - b")


class Model:
    """A model server that answers each request with the next of its texts, and records the requests."""

    def __init__(self, *texts: str, most: int = 100) -> None:
        self.texts, self.most, self.given = texts, most, 0
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.refusals: list[tuple[int, dict[str, Any]]] = []

    def app(self) -> Starlette:
        async def complete(request: Request) -> Response:
            body = await request.json()
            self.requests.append(body)
            self.keys.append(request.headers.get("authorization", ""))
            if self.refusals:
                status, content = self.refusals.pop(0)
                return JSONResponse(content, status)
            chat = request.url.path.endswith("chat/completions")
            choices = []
            for index in range(min(self.most, body.get("n") or 1)):
                text = self.texts[self.given % len(self.texts)]
                self.given += 1
                said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
                choices.append({"index": index, "finish_reason": "stop", "logprobs": None, **said})
            usage = {"prompt_tokens": 10, "completion_tokens": len(choices), "total_tokens": 10 + len(choices)}
            kind = "chat.completion" if chat else "text_completion"
            return JSONResponse(
                {"id": "x", "object": kind, "created": 1, "model": body["model"], "choices": choices, "usage": usage}
            )

        async def models(request: Request) -> Response:
            return JSONResponse({"object": "list", "data": [{"id": "m", "object": "model"}]})

        paths = ("/v1/chat/completions", "/v1/completions")
        return Starlette(
            routes=[*(Route(path, complete, methods=["POST"]) for path in paths), Route("/v1/models", models)]
        )


@contextmanager
def listening(make: Any) -> Iterator[str]:
    """Serves an application in a thread and yields its base URL. The thread's event loop opens and closes it."""
    door = socket.create_server(("127.0.0.1", 0))
    stop: list[uvicorn.Server] = []

    async def main() -> None:
        async with make() as app:
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
            stop.append(server)
            await server.serve([door])

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        host, port = door.getsockname()[:2]
        yield f"http://{host}:{port}/v1"
    finally:
        while not stop and thread.is_alive():
            thread.join(0.05)
        for server in stop:
            server.should_exit = True
        thread.join(20)
        door.close()
        assert not thread.is_alive()


class OpenedApplication:
    """An application that needs no opening, for `listening`."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __aenter__(self) -> Any:
        return self._app

    async def __aexit__(self, *_: Any) -> None:
        pass


@contextmanager
def proxied(model: Model, consensus: str, n: int = 5) -> Iterator[openai.OpenAI]:
    """Yields OpenAI's client, whose base URL is a proxy in front of the model."""

    class Proxy:
        async def __aenter__(self) -> Any:
            self.client = AsyncClient(consensus, attempts=2)
            return proxy(Upstream(behind), self.client, ProxySampling(n))

        async def __aexit__(self, *_: Any) -> None:
            await self.client.close()

    with (
        listening(lambda: OpenedApplication(model.app())) as behind,
        listening(Proxy) as url,
        openai.OpenAI(base_url=url, api_key="key-of-alice", max_retries=0) as client,
    ):
        yield client


def chat(client: openai.OpenAI, content: str = PROMPT, **fields: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}], **fields)


def test_the_answer_is_the_one_that_most_programs_agree_with(served: str) -> None:
    model = Model(WRONG, RIGHT, RIGHT, "I am not sure.", RIGHT)
    with proxied(model, served) as client:
        answer = chat(client, extra_body={"ucoder": {"inputs": 12}})
        assert [choice.message.content for choice in answer.choices] == [RIGHT]
        evidence = answer.ucoder
        assert evidence["applied"]
        assert evidence["selected"] in (1, 2, 4)
        assert sorted(evidence["clusters"][0]["members"]) == [1, 2, 4]
        assert evidence["tests"][0] == "assert add(1, 2) == 3"
        assert len(evidence["tests"]) == 12
        assert evidence["cost"]["duplicates"] == 2
        assert evidence["disagreements"][0]["outputs"][0] != evidence["disagreements"][0]["outputs"][1]
        assert answer.usage.completion_tokens == 5
        [request] = model.requests
        assert (request["n"], request["temperature"]) == (5, 0.8)
        assert "ucoder" not in request
        assert model.keys == ["Bearer key-of-alice"]


def test_tests_of_the_client_decide(served: str) -> None:
    with proxied(Model(RIGHT, WRONG, WRONG, WRONG, WRONG), served) as client:
        options = {"tests": [f"assert add({a}, 1) == {a + 1}" for a in range(30)], "entry_point": "add"}
        answer = chat(client, "Write it.", extra_body={"ucoder": {**options, "strategy": "codet"}})
        assert answer.choices[0].message.content == RIGHT


def test_a_server_that_ignores_n_receives_more_requests(served: str) -> None:
    model = Model(WRONG, RIGHT, RIGHT, most=1)
    with proxied(model, served, n=3) as client:
        answer = chat(client, seed=7, temperature=0.3, n=2)
        assert [choice.message.content for choice in answer.choices] == [RIGHT, RIGHT]
        assert [choice.index for choice in answer.choices] == [0, 1]
        assert [request.get("seed") for request in model.requests] == [7, 8, 9]
        assert {request["temperature"] for request in model.requests} == {0.3}
        assert answer.usage.prompt_tokens == 30


def test_completions_continue_the_prompt(served: str) -> None:
    with proxied(Model("    return a - b\n", "    return a + b\n", "    return b + a\n"), served, n=3) as client:
        answer = client.completions.create(model="m", prompt=PROMPT, max_tokens=50)
        assert answer.choices[0].text in ("    return a + b\n", "    return b + a\n")
        assert answer.ucoder["program"].startswith("def add(")


def test_answers_without_code_pass_through_with_the_reason(served: str) -> None:
    model = Model("Hello!", "Hi.")
    with proxied(model, served) as client:
        answer = chat(client, "Say hello.")
        assert answer.choices[0].message.content == "Hello!"
        assert answer.ucoder == {"applied": False, "reason": "not_code", "n": 5}
        chat(client, "Call it.", tools=[{"type": "function", "function": {"name": "f"}}])
        assert model.requests[-1]["n"] == 1
        assert chat(client, extra_body={"ucoder": {"n": 1}}).ucoder["reason"] == "one_sample"
        assert [one.id for one in client.models.list()] == ["m"]


def test_code_without_known_inputs_passes_through_with_the_reason(served: str) -> None:
    with proxied(Model("```python\ndef f(x):\n    return x.y\n```"), served) as client:
        answer = chat(client, "Write f.")
        assert answer.ucoder["reason"] == "no_inputs"
        assert "parameter x" in answer.ucoder["detail"]


def test_a_stream_is_one_chunk_and_its_end(served: str) -> None:
    with proxied(Model(WRONG, RIGHT, RIGHT), served, n=3) as client:
        events = list(chat(client, stream=True, stream_options={"include_usage": True}))
        assert "".join(e.choices[0].delta.content or "" for e in events if e.choices) == RIGHT
        assert events[0].choices[0].delta.role == "assistant"
        assert events[1].choices[0].finish_reason == "stop"
        assert events[1].ucoder["applied"]
        assert events[2].usage.completion_tokens == 3
        assert len(events) == 3
        text = client.completions.create(model="m", prompt=PROMPT, stream=True)
        assert len(list(text)) == 2


def test_errors_have_openai_s_format(served: str) -> None:
    model = Model(RIGHT)
    with proxied(model, served) as client:
        model.refusals = [(429, {"error": {"message": "slow down", "type": "rate_limit_error"}})]
        with pytest.raises(openai.RateLimitError, match="slow down"):
            chat(client)
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
        with pytest.raises(openai.NotFoundError, match="/v1/chat/completions"):
            client.embeddings.create(model="m", input="x")
        answer = httpx.post(f"{client.base_url}chat/completions", content=b"{")
        assert answer.status_code == 400
        assert "not JSON" in json.loads(answer.content)["error"]["message"]
    with proxied(model, "127.0.0.1:9", n=2) as client, pytest.raises(openai.InternalServerError) as refused:
        chat(client)
    assert refused.value.status_code == 503
