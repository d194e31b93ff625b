"""Tests deploy/nats_accounts.py on the chart's own server: each service has the rights that it needs and no others."""

import asyncio
import contextlib
import runpy
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from ucoder.errors import Overloaded, Reject
from ucoder.flow import BRIEF_KINDS, FLOW, SERVICES, Arrow, arrows_of
from ucoder.runs.deletion import Deletion
from ucoder.runs.housekeeping import Housekeeping
from ucoder.runs.run_config import load
from ucoder.runtime.app import serving
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.arrow_worker import ArrowWorker, Dropped, Product
from ucoder.runtime.messaging.bus import STREAM, Bus
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.messaging.progress_events import TrainingsInProgress, publish_training_progress
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import FORMAT, name_of
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, runs_pb2, runs_pb2_grpc, trainer_pb2

from .chart import ROOT
from .test_bus import configuration, running

pytest.importorskip("nkeys", reason="nats-py needs nkeys for credentials files")
Connect = Callable[[str], Awaitable[ServiceContext]]


async def answer_without_credentials(url: str) -> bytes:
    """Returns what the server answers to a client without credentials."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b'CONNECT {"verbose":false}\r\nPING\r\n')
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


async def wait_until_refused(bus: Bus, what: str) -> None:
    """Waits until the server has reported that it refuses this, which may be after the answer to a flush."""
    async with asyncio.timeout(10):
        while f"permissions violation for {what.lower()}" not in str(bus.client.last_error).lower():
            await bus.client.flush()


@pytest.fixture
async def connect(tmp_path: Path) -> AsyncIterator[Connect]:
    """A function that opens a service's context on the chart's own server with the credentials of that service."""
    assert runpy.run_path(str(ROOT / "deploy" / "nats_accounts.py"))["write"](tmp_path / "auth") == "UCODER"
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "auth").iterdir()} == {0}
    conf = configuration("defaults", tmp_path)
    conf.write_text(conf.read_text() + "include auth/auth.conf\n")  # as the chart renders it with credentialsSecret
    async with running(conf) as addresses, contextlib.AsyncExitStack() as opened:
        url = addresses["nats"][0]
        assert b"Authorization Violation" in await answer_without_credentials(url)

        async def open_context(service: str) -> ServiceContext:
            settings = Settings(
                nats_url=url,
                nats_credentials=tmp_path / "auth" / f"{service.replace('_', '-')}.creds",
                nats_inbox_prefix=f"_INBOX_{service}",
                store_url=f"file://{tmp_path}/store",
                listen="127.0.0.1:0",
                web_listen="",
            )
            return await opened.enter_async_context(ServiceContext.open(settings, (service,)))

        yield open_context


ARTEFACTS: dict[str, Callable[[pb.Brief], Message]] = {
    "run": lambda brief: pb.Run(id=brief.run, format=FORMAT, config=load(preset="demo")),
    "checkpoint": lambda brief: pb.Checkpoint(run=brief.run, iteration=brief.number),
    "served_model": lambda brief: pb.ServedModel(checkpoint=pb.Checkpoint(run=brief.run, iteration=brief.number)),
    "evaluation": lambda brief: pb.Evaluation(
        served=pb.ServedModel(checkpoint=pb.Checkpoint(run=brief.run, iteration=brief.number))
    ),
    "iteration": lambda brief: pb.Iteration(run=brief.run, index=brief.number),
    "brief": lambda brief: brief,
    "problem": lambda brief: pb.Problem(brief=brief, prompt="p"),
    "tests": lambda brief: pb.Tests(problem=pb.Problem(brief=brief)),
    "candidates": lambda brief: pb.Candidates(tests=pb.Tests(problem=pb.Problem(brief=brief))),
    "matrix": lambda brief: pb.Matrix(candidates=pb.Candidates(tests=pb.Tests(problem=pb.Problem(brief=brief)))),
    "consensus": lambda brief: pb.Consensus(brief=brief, ending=pb.ENDING_SELECTED),
    "dataset": lambda brief: pb.Dataset(run=brief.run, iteration=brief.number),
}


async def work_on(context: ServiceContext, runs: ServiceContext, arrow: Arrow) -> None:
    """Has a real worker hand back, make, drop and give up artefacts of its arrow, in a run of their own."""
    run = arrow.name.replace("_", "-")
    await runs.artifacts.save(run, ARTEFACTS["run"](pb.Brief(run=run)))
    await runs.states.begin(run)
    seen: set[int] = set()
    numbers = range(3) if arrow.source in BRIEF_KINDS else (0,) if arrow.source == "run" else (0, 2)
    for number in numbers:
        source = ARTEFACTS[arrow.source](pb.Brief(run=run, iteration=1, number=number))
        assert await runs.bus.publish(await runs.artifacts.save(run, source))

    async def stage(source: Message, of: pb.Run) -> Product:
        number = int(name_of(source).split("-")[-1])
        if number not in seen:
            seen.add(number)
            raise Overloaded("handed back")
        if number == 1:
            return Dropped("refused")
        if number == 2:
            await asyncio.sleep(1)  # the end of a run ends its other messages
            raise Reject("it cannot be read")
        return ARTEFACTS[arrow.product](pb.Brief(run=run, iteration=1, number=number))

    worker = ArrowWorker(arrow, stage, context)
    task = asyncio.create_task(worker.work())
    subject = f"ucoder.{arrow.source}.{run}.>"
    async with asyncio.timeout(20):
        while (await runs.bus.jetstream.stream_info(STREAM, subjects_filter=subject)).state.subjects:
            await asyncio.sleep(0.1)
    worker.drain()
    await task
    assert await runs.artifacts.names(run, arrow.product), arrow
    assert context.bus.client.last_error is None, arrow


async def test_every_worker_has_the_rights_for_its_work(connect: Connect) -> None:
    """The rest of what a service does on the bus follows, because a denied request is only seen as a silence."""
    contexts = {service: await connect(service) for service in SERVICES}
    runs = contexts["runs"]
    arrows = [(contexts[service], arrow) for service in SERVICES for arrow in arrows_of(service)]
    await asyncio.gather(*(work_on(context, runs, arrow) for context, arrow in arrows))
    brief = pb.Brief(run="r", iteration=1, number=7)
    limited = pb.Run(id="r", config=config_pb2.RunConfig(loop=config_pb2.LoopConfig(tokens=5, briefs=1)))
    await contexts["test_synth"].ledger.record(brief, "tests", {"tokens-tests": 9})
    await contexts["consensus"].ledger.record(brief, "consensus", {"pairs": 1})
    await contexts["generator"].ledger.record(brief, "candidates", {"spare": 20})
    assert await contexts["generator"].ledger.grant_spare("r", 1, 16)
    assert await contexts["test_synth"].ledger.reached_limit(limited, 1) == "tokens"
    await contexts["consensus"].counts.record("r", "001-000000", "consensus", {MADE: 1})
    assert await contexts["consensus"].counts.all_ended("r", 1, 1)
    trainings = await TrainingsInProgress.listen(runs.bus)
    async with asyncio.timeout(10):
        while not trainings.of_run("r"):  # the trainer publishes it again and again
            await publish_training_progress(contexts["trainer"].bus, "r", "001", trainer_pb2.TrainingProgress(step=1))
            await asyncio.sleep(0.05)
    assert {service: context.bus.client.last_error for service, context in contexts.items()} == dict.fromkeys(SERVICES)


async def test_the_runs_service_has_the_rights_for_every_call(connect: Connect) -> None:
    context = await connect("runs")
    async with serving(context.settings, ("runs",)) as own, grpc.aio.insecure_channel(own.address) as channel:
        runs = runs_pb2_grpc.RunServiceStub(channel)
        config = load(None, "demo", {"loop": {"briefs": 3}, "problems": {"steer": False}})
        await runs.CreateRun(runs_pb2.CreateRunRequest(id="r", config=config))
        ref = await own.artifacts.save("r", pb.Iteration(run="r", index=1, decision=pb.DECISION_CONTINUE))
        await own.bus.publish(ref)
        async with asyncio.timeout(20):
            while (await runs.GetRun(runs_pb2.GetRunRequest(id="r"))).status.briefs < 3:
                await asyncio.sleep(0.2)
        assert [run.id for run in (await runs.ListRuns(runs_pb2.ListRunsRequest())).runs] == ["r"]
        await own.dead_letters.add(FLOW[0], ref, "a reason", "")
        letter, *_ = await own.dead_letters.all()
        await own.dead_letters.retry(letter.sequence)
        await own.dead_letters.add(FLOW[0], ref, "another reason", "")
        assert (await runs.ResumeRun(runs_pb2.ResumeRunRequest(id="r"))).requeued > 3
        await runs.CancelRun(runs_pb2.CancelRunRequest(id="r"))
        watched = [answer.status.state async for answer in runs.WatchRun(runs_pb2.WatchRunRequest(id="r"))]
        assert watched == [runs_pb2.RUN_STATE_CANCELLED]
        removal = Deletion(own.bus, own.states, own.counts, own.artifacts.store)
        housekeeping = Housekeeping(own.artifacts, own.bus, own.states, own.counts, removal)
        await housekeeping.sweep()
        assert (await runs.GetRun(runs_pb2.GetRunRequest(id="r"))).status.briefs == 3
        await runs.DeleteRun(runs_pb2.DeleteRunRequest(id="r"))
        await housekeeping.sweep()
        assert await own.dead_letters.all() == []
        await own.states.remove("r")
        assert await own.states.all() == {}
        assert own.bus.client.last_error is None


async def test_a_service_cannot_do_the_work_of_others(connect: Connect) -> None:
    """An attacker who got out of the sandbox has the account of the sandbox-runner."""
    bus = (await connect("sandbox_runner")).bus
    forged = JetStreamContext(bus.client, timeout=1)
    for attempt in (
        forged.publish("ucoder.checkpoint.r.666", b"{}"),
        forged.publish("$KV.ucoder-counts.r.001.problem.0", b"{}"),
        forged.purge_stream("UCODER"),
        forged.delete_consumer("UCODER", "brief_to_problem"),
        forged.update_stream(StreamConfig(name="UCODER", subjects=["ucoder.>"], max_msgs=1)),
    ):
        with pytest.raises(NatsTimeout):  # NATS does not answer a denied request
            await attempt
    await bus.client.publish("ucoder-news.training.r.001", b"")
    await wait_until_refused(bus, 'publish to "ucoder-news.training.r.001"')
    await bus.client.subscribe("_INBOX_runs.>")  # the answers to another service
    await wait_until_refused(bus, 'subscription to "_INBOX_runs.>"')
