"""The REST form of our own calls: each takes and gives the messages of the protos as JSON, or as server-sent events.

A request that accepts `text/event-stream`, or has `"stream": true`, gets an event as soon as there is something new.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from starlette.responses import JSONResponse, Response, StreamingResponse

from ucoder.client.rewards import rewards_of
from ucoder.core.extraction import extract_program
from ucoder.errors import NoInputs, Reject, UcoderError, of_call
from ucoder.gateway.error_answers import problem
from ucoder.gateway.json_mapping import json_of, message_of
from ucoder.gateway.request_checks import Incoming
from ucoder.runtime.peers import Peers
from ucoder.runtime.validation import validate
from ucoder.v1 import consensus_pb2, gateway_pb2, sandbox_pb2

KEEP_ALIVE_SECONDS = 10.0
"""A stream without news sends a comment so often, so that no proxy on the way closes it."""
Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RestCall:
    """One path: its request, its whole answer, and its events."""

    path: str
    summary: str
    request: type[Message]
    response: type[Message]
    answer: Callable[[Peers, Any, Incoming], Any]
    """Returns the whole answer, awaited."""
    events: Callable[[Peers, Any, Incoming], AsyncGenerator[Event]] | None = None
    """Yields the events of a stream."""


async def call_once(method: Any, request: Message, incoming: Incoming, seconds: float | None = None) -> Any:
    """Makes a unary call. Raises the error of the service; a caller that is cancelled cancels the call."""
    try:
        return await method(request, metadata=incoming.metadata, timeout=seconds)
    except grpc.RpcError as error:
        raise of_call(error) from None


async def call_stream(
    method: Any, request: Message, incoming: Incoming, seconds: float | None = None
) -> AsyncGenerator[Any]:
    """Yields the messages of a streaming call, and cancels it when the iteration is left."""
    call = method(request, metadata=incoming.metadata, timeout=seconds)
    try:
        async for message in call:
            yield message
    except grpc.RpcError as error:
        raise of_call(error) from None
    finally:
        call.cancel()


async def _select(peers: Peers, request: consensus_pb2.SelectRequest, incoming: Incoming) -> dict[str, Any]:
    return json_of(await call_once(peers.consensus.Select, request, incoming))


async def _select_events(
    peers: Peers, request: consensus_pb2.SelectRequest, incoming: Incoming
) -> AsyncGenerator[Event]:
    wrapped = consensus_pb2.SelectStreamRequest(select=request)
    async for message in call_stream(peers.consensus.SelectStream, wrapped, incoming):
        yield "answer", json_of(message)


async def _cluster(peers: Peers, request: consensus_pb2.ClusterRequest, incoming: Incoming) -> dict[str, Any]:
    return json_of(await call_once(peers.consensus.Cluster, request, incoming))


async def _execute(peers: Peers, request: sandbox_pb2.ExecuteRequest, incoming: Incoming) -> dict[str, Any]:
    rows = [message.row async for message in call_stream(peers.sandbox.Execute, request, incoming)]
    return {"rows": [json_of(row) for row in sorted(rows, key=lambda row: row.program)]}


async def _execute_events(
    peers: Peers, request: sandbox_pb2.ExecuteRequest, incoming: Incoming
) -> AsyncGenerator[Event]:
    async for message in call_stream(peers.sandbox.Execute, request, incoming):
        yield "row", json_of(message.row)


async def _run(peers: Peers, request: sandbox_pb2.RunRequest, incoming: Incoming) -> dict[str, Any]:
    request.stream = False
    [message] = [message async for message in call_stream(peers.sandbox.Run, request, incoming)]
    return json_of(message.result)


async def _run_events(peers: Peers, request: sandbox_pb2.RunRequest, incoming: Incoming) -> AsyncGenerator[Event]:
    request.stream = True
    async for message in call_stream(peers.sandbox.Run, request, incoming):
        kind = str(message.WhichOneof("event"))
        yield kind, json_of(getattr(message, kind))


async def _rewards(peers: Peers, request: gateway_pb2.RewardsRequest, incoming: Incoming) -> dict[str, Any]:
    prompt = request.prompt if "def " in request.prompt else ""
    programs = [extract_program(text, prompt, request.entry_point) for text in request.completions]
    select = consensus_pb2.SelectRequest(
        programs=programs,
        tests=request.tests,
        prompt=request.prompt,
        entry_point=request.entry_point,
        language=request.language,
        limits=request.limits if request.HasField("limits") else None,
        selection=request.selection if request.HasField("selection") else None,
    )
    response = gateway_pb2.RewardsResponse(programs=programs)
    try:
        answer = await call_once(peers.consensus.Select, select, incoming)
    except NoInputs as error:
        response.rewards.extend([0.0] * len(programs))
        response.reason = str(error)
        return json_of(response)
    response.answer.CopyFrom(answer)
    kind: Any = request.kind or "consensus"
    response.rewards.extend(rewards_of(answer.verdict, len(programs), len(answer.tests), kind))
    return json_of(response)


REST_CALLS = (
    RestCall(
        "/v1/select",
        "Executes the programs and selects the one that is right, or abstains.",
        consensus_pb2.SelectRequest,
        consensus_pb2.SelectResponse,
        _select,
        _select_events,
    ),
    RestCall(
        "/v1/cluster",
        "Selects from a finished matrix of outcomes.",
        consensus_pb2.ClusterRequest,
        consensus_pb2.ClusterResponse,
        _cluster,
    ),
    RestCall(
        "/v1/execute",
        "Runs every program on every test.",
        sandbox_pb2.ExecuteRequest,
        sandbox_pb2.ExecuteResponse,
        _execute,
        _execute_events,
    ),
    RestCall(
        "/v1/run",
        "Runs one program for what it prints.",
        sandbox_pb2.RunRequest,
        sandbox_pb2.RunResult,
        _run,
        _run_events,
    ),
    RestCall(
        "/v1/rewards",
        "Returns a reward for each completion of a prompt.",
        gateway_pb2.RewardsRequest,
        gateway_pb2.RewardsResponse,
        _rewards,
    ),
)


async def answer_call(call: RestCall, peers: Peers, incoming: Incoming) -> Response:
    """Answers one REST call, as JSON or as a stream of events."""
    body = incoming.json_object()
    wants_events = "text/event-stream" in incoming.request.headers.get("accept", "")
    if call.events and "stream" in body:
        wants_events |= bool(body.pop("stream"))
    request = message_of(call.request, body)
    validate(request)
    if not wants_events:
        return JSONResponse(await call.answer(peers, request, incoming))
    if not call.events:
        raise Reject(f"{call.path} has no stream; ask for application/json.")
    return StreamingResponse(server_sent(call.events(peers, request, incoming)), media_type="text/event-stream")


async def server_sent(events: AsyncGenerator[Event]) -> AsyncGenerator[str]:
    """Yields events as text, then `end`, or `error` with the problem where the call failed after it began."""
    async with contextlib.aclosing(kept_alive(events)) as lively:
        try:
            async for event in lively:
                yield ": wait\n\n" if event is None else f"event: {event[0]}\ndata: {json.dumps(event[1])}\n\n"
            yield "event: end\ndata: {}\n\n"
        except UcoderError as error:
            yield f"event: error\ndata: {json.dumps(problem(error))}\n\n"


async def kept_alive(events: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    """Yields what the iterator yields, and None whenever it has yielded nothing for a while."""
    upcoming: asyncio.Task[Any] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({upcoming}, timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield None
                continue
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield event
    finally:
        if upcoming:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
        await events.aclose()
