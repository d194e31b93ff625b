"""Tests of traces with a real OTLP receiver: one trace from brief to ending, through messages and calls."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config, Server

from ucoder.flow import FLOW
from ucoder.runtime.app import serving
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import ArrowWorker
from ucoder.runtime.settings import Settings
from ucoder.runtime.tracing import trace_id
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2

NAME = "001-000007"


@pytest.fixture
async def collector() -> AsyncIterator[tuple[str, list[Span]]]:
    """A collector's URL, and the spans it has received."""
    spans: list[Span] = []

    async def receive(request: Request) -> Response:
        sent = ExportTraceServiceRequest.FromString(await request.body())
        spans.extend(span for part in sent.resource_spans for scope in part.scope_spans for span in scope.spans)
        return Response(b"", media_type="application/x-protobuf")

    app = Starlette(routes=[Route("/v1/traces", receive, methods=["POST"])])
    server = Server(Config(app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", spans
    server.should_exit = True
    await task


@contextlib.asynccontextmanager
async def working(context: ServiceContext, arrow: str, run: Callable[..., object]) -> AsyncIterator[None]:
    worker = ArrowWorker(next(one for one in FLOW if one.name == arrow), run, context)
    task = asyncio.create_task(worker.work())
    try:
        yield
    finally:
        worker.drain()
        await task


async def test_a_brief_is_one_trace_through_messages_and_calls(
    nats_url: str, make_settings: Callable[..., Settings], collector: tuple[str, list[Span]]
) -> None:
    url, spans = collector
    settings = make_settings(nats_url=nats_url, otlp_url=url)
    async with serving(settings, ("consensus",)) as server, ServiceContext.open(settings, ()) as context:
        await context.artifacts.save("r", pb.Run(id="r", format=1))
        await context.states.begin("r")

        async def invent(brief: pb.Brief, run: pb.Run) -> pb.Problem:
            rows = [pb.Row(program=n, outcomes=[pb.OUTCOME_PASSED], outputs=["2"]) for n in range(2)]
            asked = consensus_pb2.ClusterRequest(rows=rows, tests=[pb.TestCase(code="assert f(1) == 2")])
            await server.peers.consensus.Cluster(asked)
            return pb.Problem(brief=brief, prompt="def f(x): ...")

        async def ask(problem: pb.Problem, run: pb.Run) -> pb.Tests:
            return pb.Tests(problem=problem)

        async with working(context, "brief_to_problem", invent), working(context, "problem_to_tests", ask):
            ref = await context.artifacts.save("r", pb.Brief(run="r", iteration=1, number=7))
            await context.bus.publish(ref)
            async with asyncio.timeout(20):
                while not await context.artifacts.find("r", "tests", NAME):
                    await asyncio.sleep(0.05)
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"brief_to_problem", "problem_to_tests", "Cluster"}
    for span in spans:
        assert int.from_bytes(span.trace_id, "big") == trace_id("r", NAME)
    invented = by_name["brief_to_problem"]
    assert by_name["problem_to_tests"].parent_span_id == invented.span_id
    assert by_name["Cluster"].parent_span_id == invented.span_id
    said = {item.key: item.value.string_value or item.value.int_value for item in invented.attributes}
    assert (said["ucoder.name"], said["ucoder.outcome"], said["ucoder.attempt"]) == (NAME, "done", 1)


async def test_an_unreachable_collector_does_no_harm(nats_url: str, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(nats_url=nats_url, otlp_url="http://127.0.0.1:9")
    async with serving(settings, ("runs",)) as context:
        with context.tracing.call_span("/x/Y", {}):
            await context.states.begin("r")
        assert (await context.states.get("r")).state == "running"
