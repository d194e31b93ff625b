"""The OpenAI-compatible paths: chat completions, completions and models.

A client changes only its base URL. Where a request asks for a program, n choices are sampled, the consensus service
executes them, and the best ones are the answer. Every other request goes to the model server as it is, and the answer
comes back byte by byte as it is written.
"""

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from ucoder.client.requests import select_request
from ucoder.client.results import Answer, answer_of
from ucoder.errors import NotFound, Overloaded, Reject, Retry, UcoderError
from ucoder.gateway.error_answers import retry_after, status_of
from ucoder.gateway.openai.best_answer import (
    EXTRA_FIELD,
    NotApplied,
    RankedChoices,
    pop_options,
    program_in,
    rank_choices,
    text_of,
    unranked,
)
from ucoder.gateway.openai.chat_requests import Task, Wish, read_chat, read_prompt
from ucoder.gateway.openai.event_stream import events_of, late_events
from ucoder.gateway.openai.upstream import Upstream, UpstreamError, error_body, total_usage
from ucoder.gateway.request_checks import Incoming
from ucoder.gateway.rest_calls import KEEP_ALIVE_SECONDS, call_once
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.validation import validate

MOST_SAMPLES = 1024
"""The most samples for one answer."""
HEADER = "x-ucoder"
"""The header with the evidence in a few words."""
KINDS = {401: "authentication_error", 429: "rate_limit_error", 404: "not_found_error"}
Sampled = tuple[dict[str, Any], RankedChoices]
"""An answer with all choices, and their order."""


class OpenAIPaths:
    """The handlers of the paths in front of one model server."""

    def __init__(self, context: ServiceContext, upstream: Upstream | None) -> None:
        self._settings, self._peers, self._upstream = context.settings, context.peers, upstream

    async def chat(self, incoming: Incoming) -> Response:
        """Answers /v1/chat/completions."""
        body = _checked(incoming)
        if not isinstance(body.get("messages"), list):
            raise Reject("messages: required, a list.")
        return await self._answer("/chat/completions", body, [read_chat(body["messages"])], incoming)

    async def completions(self, incoming: Incoming) -> Response:
        """Answers /v1/completions. A list of prompts gets the choices of each prompt, one prompt after the other."""
        body = _checked(incoming)
        prompts = [body.get("prompt")] if isinstance(body.get("prompt"), str) else body.get("prompt")
        texts = [one for one in prompts if isinstance(one, str)] if isinstance(prompts, list) else []
        readable = texts and len(texts) == len(prompts or ())
        tasks = [read_prompt(one) for one in texts] if readable else [Task(Wish.OTHER)]
        return await self._answer("/completions", body, tasks, incoming)

    async def models(self, incoming: Incoming) -> Response:
        """Returns the models of the model server."""
        return await self._passed(self._server().get("/models", self._key(incoming)))

    async def model(self, incoming: Incoming) -> Response:
        """Returns one model of the model server."""
        wanted = incoming.request.path_params["model"]
        try:
            listed = (await self._server().get("/models", self._key(incoming))).get("data") or []
        except UpstreamError as error:
            return JSONResponse(error.body, error.status, error.headers)
        found = [one for one in listed if isinstance(one, dict) and one.get("id") == wanted]
        if not found:
            raise NotFound(f"the model {wanted[:200]!r} does not exist; /v1/models lists them.")
        return JSONResponse(found[0])

    async def _answer(self, path: str, body: dict[str, Any], tasks: list[Task], incoming: Incoming) -> Response:
        options = pop_options(body)
        answers = body.get("n") or 1
        n = max(options.get("n", self._settings.gateway_samples), answers)
        if not 1 <= n <= MOST_SAMPLES:
            raise Reject(f"{EXTRA_FIELD}.n: {n} is not between 1 and {MOST_SAMPLES}.")
        if (reason := _reason_to_pass(body, tasks, n, bool(options.get("tests")))) is not None:
            extra = {HEADER: f"not-applied; reason={reason}"}
            return await self._passed(
                self._server().pass_through(path, {**body, "model": body["model"]}, self._key(incoming), extra)
            )
        as_stream = bool(body.pop("stream", False))
        with_usage = bool((body.pop("stream_options", None) or {}).get("include_usage"))
        work = asyncio.create_task(self._best_of_all(path, body, tasks, n, answers, options, incoming))
        try:
            await asyncio.wait({work}, timeout=KEEP_ALIVE_SECONDS if as_stream else None)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if not work.done():
            return StreamingResponse(late_events(work, with_usage, _error_of), media_type="text/event-stream")
        if isinstance(error := work.exception(), UpstreamError):
            return JSONResponse(error.body, error.status, error.headers)
        answer = work.result()
        headers = {HEADER: _in_words(answer[EXTRA_FIELD])}
        if as_stream:
            return StreamingResponse(events_of(answer, with_usage), headers=headers, media_type="text/event-stream")
        return JSONResponse(answer, headers=headers)

    async def _best_of_all(
        self, path: str, body: dict[str, Any], tasks: list[Task], n: int, answers: int, options: Any, incoming: Incoming
    ) -> dict[str, Any]:
        """Returns the answer with the best choices of each prompt, the evidence, and the usage of all choices."""
        bodies = [body] if len(tasks) == 1 else [{**body, "prompt": one.prompt} for one in tasks]
        async with asyncio.TaskGroup() as group:
            working = [
                group.create_task(_caught(self._best(path, one, task, n, answers, options, incoming)))
                for one, task in zip(bodies, tasks, strict=True)
            ]
        sampled = [task.result() for task in working]
        for one in sampled:
            if isinstance(one, BaseException):
                raise one
        done: list[Sampled] = sampled  # type: ignore[assignment]
        best = [answer["choices"][index] for answer, ranked in done for index in ranked.order[:answers]]
        evidence = [ranked.evidence for _, ranked in done]
        applied = any(one["applied"] for one in evidence)
        return {
            **done[0][0],
            "choices": [{**choice, "index": index} for index, choice in enumerate(best)],
            "usage": total_usage([answer for answer, _ in done]),
            EXTRA_FIELD: evidence[0] if len(evidence) == 1 else {"applied": applied, "n": n, "prompts": evidence},
        }

    async def _best(
        self, path: str, body: dict[str, Any], task: Task, n: int, answers: int, options: Any, incoming: Incoming
    ) -> Sampled:
        """Returns the choices of one prompt, sampled and ranked.

        The first ones are as the client asked. They are the answer where nothing can be judged, and then the others are
        cancelled.
        """
        server, key = self._server(), self._key(incoming)
        models = await server.models_of(str(body["model"]), key)
        first_body = {**body, "model": models[0]}
        rest_body = {**body, "temperature": body.get("temperature") or self._settings.gateway_temperature}
        if isinstance(seed := body.get("seed"), int):
            rest_body["seed"] = seed + answers

        async def others() -> dict[str, Any]:
            return await server.sample(path, rest_body, n - answers, key, models)

        at_once = task.wish is Wish.PROGRAM and not body.get("tools") and n > answers
        rest = asyncio.create_task(others()) if at_once else None
        try:
            first = await server.sample(path, first_body, answers, key, models[:1])
            if any((choice.get("message") or {}).get("tool_calls") for choice in first["choices"]):
                return first, unranked(NotApplied.TOOL_CALL, answers)
            if not any(program_in(text_of(choice), task) for choice in first["choices"]):
                return first, unranked(NotApplied.NOT_CODE, answers)
            try:
                more = await (rest or others()) if n > answers else {"choices": []}
            except UpstreamError as error:
                return first, unranked(NotApplied.UNAVAILABLE, answers, detail=str(error))
        finally:
            if rest and not rest.done():
                rest.cancel()
            if rest:
                await asyncio.gather(rest, return_exceptions=True)
        choices = first["choices"] + more["choices"]
        answer = {**first, "choices": choices, "usage": total_usage([first, more])}
        try:
            return answer, await rank_choices(self._selector(incoming), task, choices, options)
        except Retry as error:
            return answer, unranked(NotApplied.UNAVAILABLE, len(choices), detail=str(error))

    def _selector(self, incoming: Incoming) -> Any:
        """Returns a function that asks the consensus service, with the keywords of `Client.select`."""

        async def select(programs: list[str], tests: list[Any], **options: Any) -> Answer:
            request = select_request(programs, tests, options)  # type: ignore[arg-type]
            validate(request)
            message = await call_once(self._peers.consensus.Select, request, incoming, self._settings.rpc_seconds)
            return answer_of(message, programs)

        return select

    def _server(self) -> Upstream:
        if self._upstream is None:
            raise NotFound("no model server is behind this gateway; set UCODER_GATEWAY_UPSTREAM, or --upstream.")
        return self._upstream

    def _key(self, incoming: Incoming) -> str:
        """Returns the client's authorization for the model server; none where it is a token for the gateway."""
        return "" if self._settings.tokens_file else incoming.request.headers.get("authorization", "")

    async def _passed(self, answer: Any) -> Response:
        """Returns an answer of the model server, or its error unchanged."""
        try:
            given = await answer
        except UpstreamError as error:
            return JSONResponse(error.body, error.status, error.headers)
        return given if isinstance(given, Response) else JSONResponse(given)


def error_style(error: UcoderError) -> Response:
    """Returns an error in OpenAI's format. Its clients retry 429 and 503."""
    status = status_of(error)
    kind = KINDS.get(status, "invalid_request_error" if isinstance(error, Reject) else "api_error")
    code = "rate_limit_exceeded" if isinstance(error, Overloaded) else None
    return JSONResponse(error_body(str(error), kind, code=code), status, dict(retry_after(error)))


def _reason_to_pass(body: dict[str, Any], tasks: list[Task], n: int, has_tests: bool) -> NotApplied | None:
    """Returns why a request goes to the model server as it is; None where its answers are to be judged."""
    if n == 1:
        return NotApplied.ONE_SAMPLE
    kind = body.get("response_format")
    formatted = isinstance(kind, dict) and kind.get("type", "text") != "text"
    called = body.get("functions") or (body.get("tools") and body.get("tool_choice") not in (None, "auto", "none"))
    special = any(body.get(name) for name in ("echo", "suffix")) or (body.get("best_of") or 1) != 1
    if formatted or called or special or not all(task.wish is not Wish.OTHER or has_tests for task in tasks):
        return NotApplied.NOT_ASKED
    unsure = any(task.wish is not Wish.PROGRAM for task in tasks) or body.get("tools")
    return NotApplied.NOT_ASKED if body.get("stream") and unsure and not has_tests else None


def _checked(incoming: Incoming) -> dict[str, Any]:
    """Returns the body of a request. Raises Reject where the model is missing or n is no number."""
    body = incoming.json_object()
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Reject("model: required, a text.")
    n = body.get("n")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise Reject(f"n: expected a whole number from 1, found {n!r:.40}.")
    for name in ("temperature", "best_of"):
        if not isinstance(body.get(name), int | float | None):
            raise Reject(f"{name}: expected a number, found {body[name]!r:.40}.")
    if not isinstance(body.get("stream_options"), dict | None):
        raise Reject("stream_options: expected an object.")
    return body


def _in_words(evidence: dict[str, Any]) -> str:
    """Returns the evidence as the header has it."""
    if not evidence["applied"]:
        return f"not-applied; reason={evidence.get('reason', 'not_asked')}"
    if "prompts" in evidence:
        return f"applied; n={evidence['n']}"
    return f"applied; confidence={evidence['confidence']:.3f}; n={evidence['n']}"


def _error_of(error: BaseException) -> dict[str, Any]:
    """Returns the error event for a failure after a stream has begun."""
    if isinstance(error, UpstreamError):
        return error.body
    known = isinstance(error, UcoderError)
    return error_body(str(error) if known else "a bug on our side; see the log.", "api_error")


async def _caught(work: Any) -> Sampled | Exception:
    """Awaits the work and returns its result, or the expected error that it raised."""
    try:
        return await work  # type: ignore[no-any-return]
    except (UpstreamError, UcoderError) as error:
        return error
