"""The client against servers that are slow, full, broken, cut off or wrong, on real sockets: retried or reported."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from ucoder.errors import Misconfigured, NotFound, Overloaded, Reject, Retry
from ucoder.models import SamplingParameters, model_of, open_model
from ucoder.models.openai_model import OpenAIModel
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.settings import Settings

WARM = SamplingParameters(temperature=0.8, top_p=0.95, max_tokens=16)
Reply = tuple[int, dict[str, str], Any] | str
"""Status, headers and JSON; or `drop` (close after half an answer), `hang`."""


class ScriptedServer:
    """An HTTP server that gives one prepared reply per request and keeps the requests."""

    def __init__(self, replies: Iterator[Reply]) -> None:
        self._replies = replies
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.dropped_by_client = 0
        self.connections: set[asyncio.Task[None]] = set()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self.answer(reader, writer):
                    pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; returns False when the connection is to end."""
        head = await reader.readuntil(b"\r\n\r\n")
        first, *rest = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append((first, headers, json.loads(body) if body else None))
        reply = next(self._replies)
        if reply == "hang":
            await reader.read()
            self.dropped_by_client += 1
            return False
        if reply == "drop":
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"choices": [')
            return False
        status, more, content = reply
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}", *(f"{k}: {v}" for k, v in more.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await writer.drain()
        return True


@contextlib.asynccontextmanager
async def scripted(*replies: Reply) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(iter(replies))
    door = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        door.close()
        for connection in server.connections:
            connection.cancel()
        await asyncio.gather(*server.connections, return_exceptions=True)


def good(n: int = 1) -> Reply:
    choices = [
        {"index": i, "text": f"t{i}", "finish_reason": "stop" if i % 2 else "length",
         "logprobs": {"token_logprobs": [-0.5, -1.5]}}
        for i in reversed(range(n))
    ]  # fmt: skip
    return 200, {}, {"choices": choices, "usage": {"completion_tokens": 2 * n}}


def failed(status: int, message: str = "engine failed", **headers: str) -> Reply:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, {"error": {"message": message}}


@contextlib.asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel(url, **options)
    try:
        yield model
    finally:
        await model.close()


async def test_completions_come_in_order_with_their_log_probabilities() -> None:
    async with scripted(good(3)) as server, opened(server.url, api_key="sesame") as model:
        found = await model.complete("m", "def f", n=3, sampling=WARM, stop=("\ndef",), seed=9)
    assert [one.text for one in found] == ["t0", "t1", "t2"]
    assert [(one.tokens, one.mean_log_prob) for one in found] == [(2, -1.0)] * 3
    assert [one.finish for one in found] == ["length", "stop", "length"]
    first, headers, body = server.asked[0]
    assert first.startswith("POST /v1/completions ")
    assert headers["authorization"] == "Bearer sesame"
    assert (body["prompt"], body["n"], body["stop"], body["max_tokens"]) == ("def f", 3, ["\ndef"], 16)


async def test_many_completions_are_asked_for_in_parts_whose_seeds_do_not_meet() -> None:
    async with scripted(good(128), good(72)) as server, opened(server.url) as model:
        assert len(await model.complete("m", "def f", n=200, sampling=WARM, seed=9)) == 200
    (_, _, one), (_, _, other) = server.asked
    assert (one["n"], other["n"], other["seed"] - one["seed"]) == (128, 72, 128)


@pytest.mark.parametrize(
    "failures", [[failed(500)], [failed(503), failed(429, Retry_After="0")], ["drop"], ["drop", "drop"]]
)
async def test_transient_failures_are_retried(failures: list[Reply]) -> None:
    async with scripted(*failures, good()) as server, opened(server.url) as model:
        [one] = await model.complete("m", "def f", n=1, sampling=WARM)
    assert one.text == "t0"
    bodies = [body for _, _, body in server.asked]
    assert len(bodies) == len(failures) + 1
    assert all(body == bodies[0] for body in bodies)  # the same seed: nothing is sampled twice


async def test_the_pause_of_retry_after_is_kept() -> None:
    async with scripted(failed(429, Retry_After="1"), good()) as server, opened(server.url) as model:
        started = time.perf_counter()
        await model.complete("m", "def f", n=1, sampling=WARM)
    assert 0.95 < time.perf_counter() - started < 3


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (failed(400, "max_tokens is too large"), Reject, "max_tokens is too large"),
        (failed(401, "no"), Misconfigured, "UCODER_MODEL_API_KEY"),
        (failed(404, "The model `m` does not exist."), NotFound, "`m` does not exist"),
        ((200, {}, "<html>hello</html>"), Misconfigured, "JSON"),
        ((200, {}, {"object": "other"}), Misconfigured, "not an OpenAI"),
        ((200, {}, {"choices": [{"text": "x", "index": 0}] * 2}), Misconfigured, "log-probabilities"),
    ],
)
async def test_permanent_failures_are_reported_at_once(reply: Reply, error: type[Exception], message: str) -> None:
    async with scripted(reply) as server, opened(server.url) as model:
        with pytest.raises(error, match=message):
            await model.complete("m", "def f", n=2, sampling=WARM)
    assert len(server.asked) == 1


async def test_a_server_that_stays_full_is_overloaded() -> None:
    replies = [failed(429, Retry_After="0")] * 6
    async with scripted(*replies) as server, opened(server.url) as model:
        with pytest.raises(Overloaded, match="429 engine failed"):
            await model.complete("m", "def f", n=1, sampling=WARM)


async def test_a_server_that_hangs_is_given_up_at_the_deadline() -> None:
    async with scripted("hang") as server, opened(server.url, deadline_seconds=0.5) as model:
        with pytest.raises(Retry, match=r"within 0\.5 s"):
            await model.complete("m", "def f", n=1, sampling=WARM)
        await until(lambda: server.dropped_by_client == 1)


async def test_a_cancelled_request_closes_the_connection() -> None:
    async with scripted("hang") as server, opened(server.url) as model:
        task = asyncio.create_task(model.complete("m", "def f", n=1, sampling=WARM))
        await until(lambda: bool(server.asked))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: server.dropped_by_client == 1)


async def test_a_missing_server_is_named() -> None:
    async with opened("http://127.0.0.1:9/v1", deadline_seconds=2) as model:
        with pytest.raises(Retry, match=r"127\.0\.0\.1:9"):
            await model.complete("m", "def f", n=1, sampling=WARM)


async def test_a_server_that_gives_fewer_completions_is_asked_for_the_rest() -> None:
    async with scripted(good(2), good(2), good(1), good(2)) as server, opened(server.url) as model:
        assert len(await model.complete("m", "def f", n=5, sampling=WARM, seed=9)) == 5
        assert len(await model.complete("m", "def f", n=2, sampling=WARM, seed=9)) == 2
    bodies = [body for _, _, body in server.asked]
    assert [body["n"] for body in bodies] == [5, 2, 1, 2]
    assert [body["seed"] - bodies[0]["seed"] for body in bodies] == [0, 2, 4, 0]


async def test_log_probabilities_in_the_format_of_chat_answers_are_read() -> None:
    choice = {"text": "x", "finish_reason": "stop", "logprobs": {"content": [{"logprob": -1.0}, {"logprob": -3.0}]}}
    async with scripted((200, {}, {"choices": [choice]})) as server, opened(server.url) as model:
        [one] = await model.complete("m", "def f", n=1, sampling=WARM)
    assert (one.tokens, one.mean_log_prob) == (2, -2.0)


async def test_a_fixed_server_is_not_switched() -> None:
    listed: Reply = (200, {}, {"data": [{"id": "other"}]})
    async with scripted(listed, listed) as server:
        model = open_model(Settings(model_url=server.url))
        await model.serve("other")
        with pytest.raises(NotFound, match=r"serves other, not m.*UCODER_ROLLOUT_STATEFULSET"):
            await model.serve("m")
        await model.close()


async def test_a_server_without_adapters_is_told_how_to_enable_them() -> None:
    async with scripted(failed(404, "Not Found")) as server, opened(server.url) as model:
        with pytest.raises(Misconfigured, match="--enable-lora"):
            await model.load_adapter("a", "/folder")


async def test_scoring_leaves_out_the_first_token_and_the_generated_one() -> None:
    echo: Reply = (200, {}, {"choices": [{"text": "abc", "logprobs": {"token_logprobs": [None, -1.0, -2.0, -9.0]}}]})
    async with scripted(echo) as server, opened(server.url) as model:
        found = await model.score("m", "ab")
    assert (found.mean_log_prob, found.tokens) == (-1.5, 2)
    assert server.asked[0][2]["echo"] is True


async def test_a_server_that_does_not_echo_cannot_score() -> None:
    async with scripted(good()) as server, opened(server.url) as model:
        with pytest.raises(Misconfigured, match="cannot score"):
            await model.score("m", "ab")


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.01)


async def test_requests_under_way_are_a_metric(make_settings: Callable[..., Settings]) -> None:
    async with scripted("hang") as server:
        settings = make_settings(model_url=server.url)
        async with ServiceContext.open_standalone(settings, ("generator",)) as context:
            task = asyncio.create_task(model_of(context).complete("m", "p", n=1, sampling=WARM))
            while not server.asked:
                await asyncio.sleep(0.02)
            assert context.metrics.registry.get_sample_value("ucoder_model_requests") == 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert context.metrics.registry.get_sample_value("ucoder_model_requests") == 0
