"""A scripted OpenAI-compatible model server for the tests of the gateway."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


class ScriptedModel:
    """A model server that answers each request with the next of its texts, and records the requests."""

    def __init__(self) -> None:
        self.reset("")

    def reset(self, *texts: str, most: int = 100) -> None:
        """Replaces the texts, and forgets everything else."""
        self.texts, self.most, self.given = texts, most, 0
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.refusals: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.fields: dict[str, Any] = {}
        self.seconds = 0.0
        self.left = 0
        self.first_seen = threading.Event()

    def app(self) -> Starlette:
        """Returns the application."""
        paths = ("/v1/chat/completions", "/v1/completions")
        return Starlette(
            routes=[
                *(Route(path, self._complete, methods=["POST"]) for path in paths),
                Route("/v1/models", self._models),
            ]
        )

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("authorization", ""))
        if self.refusals:
            status, content, headers = self.refusals.pop(0)
            return JSONResponse(content, status, headers)
        waiting = asyncio.create_task(asyncio.sleep(self.seconds))
        while not waiting.done():
            if await request.is_disconnected():
                self.left += 1
                waiting.cancel()
                return Response()
            await asyncio.sleep(0.02)
        chat = request.url.path.endswith("chat/completions")
        prompts = body["prompt"] if isinstance(body.get("prompt"), list) else [None]
        choices = []
        for index in range(min(self.most, body.get("n") or 1) * len(prompts)):
            text = self.texts[self.given % len(self.texts)]
            self.given += 1
            said = {"message": {"role": "assistant", "content": text, **self.fields}} if chat else {"text": text}
            choices.append({"index": index, "finish_reason": "stop", "logprobs": None, **said})
        usage = {"prompt_tokens": 10, "completion_tokens": len(choices), "total_tokens": 10 + len(choices)}
        kind = "chat.completion" if chat else "text_completion"
        if body.get("stream"):
            return StreamingResponse(self._words(choices[0]["message"]["content"]), media_type="text/event-stream")
        return JSONResponse(
            {"id": "x", "object": kind, "created": 1, "model": body["model"], "choices": choices, "usage": usage},
            headers={"x-request-id": "of-the-model-server"},
        )

    async def _words(self, text: str) -> AsyncIterator[str]:
        """Yields a text word by word, as chunks of a chat; the second word when the test has seen the first."""
        for number, word in enumerate(text.split(" ")):
            while number == 1 and not self.first_seen.is_set():
                await asyncio.sleep(0.01)
            delta = {"index": 0, "delta": {"content": word + " "}, "finish_reason": None}
            yield f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [delta]})}\n\n"
        yield "data: [DONE]\n\n"

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": one, "object": "model"} for one in ("m", "other/one")]})


@contextmanager
def listening(opened: Callable[[], AbstractAsyncContextManager[Any]]) -> Iterator[str]:
    """Serves an application in a thread, on whose event loop it is opened and closed, and yields its base URL."""
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        async with opened() as app:
            servers.append(uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5)))
            await servers[0].serve([listener])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        try:
            yield "http://{}:{}".format(*listener.getsockname()[:2])
        finally:
            while not servers and thread.is_alive():
                thread.join(0.05)
            servers[0].should_exit = True
            thread.join(20)
            assert not thread.is_alive()
