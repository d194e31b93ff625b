"""The trainer on the bus: a cancelled run stops its training within seconds, a restart of the trainer stops no Job."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tests.integration.api_server import ApiServer
from tests.integration.trainer.stored_run import StoredRun, job_template
from tests.integration.trainer.trainings import workers

from ucoder.cli.shared.run_progress import training_line
from ucoder.flow import PROGRESS_EVENTS
from ucoder.runtime.app import serving
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.progress_events import TrainingsInProgress, publish_training_progress
from ucoder.runtime.settings import Settings
from ucoder.v1 import runs_pb2, runs_pb2_grpc, trainer_pb2, trainer_pb2_grpc

Make = Callable[..., Settings]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.05)


def cluster_settings(cluster: ApiServer, folder: Path) -> dict[str, Any]:
    """Returns the settings of a trainer that trains in Jobs."""
    template = job_template("training job", folder)
    return {"training_template": template, "kubernetes_url": cluster.url, "kubernetes_namespace": "space"}


async def acknowledged(context: ServiceContext) -> bool:
    info = await context.bus.jetstream.consumer_info("UCODER", "dataset_to_checkpoint")
    return info.num_ack_pending == 0 and info.num_pending == 0


async def until_acknowledged(context: ServiceContext) -> None:
    async with asyncio.timeout(30):
        while not await acknowledged(context):
            await asyncio.sleep(0.1)


async def test_a_training_is_shown_while_it_runs_and_stops_when_its_run_is_cancelled(
    make_settings: Make, nats_url: str
) -> None:
    settings = make_settings(nats_url=nats_url, web_listen="127.0.0.1:0")
    async with serving(settings, ("runs", "trainer")) as context, grpc.aio.insecure_channel(context.address) as channel:
        trainer, runs = trainer_pb2_grpc.TrainerServiceStub(channel), runs_pb2_grpc.RunServiceStub(channel)
        stored = await StoredRun.create(context.artifacts, epochs=1000)
        await context.states.begin("r")
        await context.bus.publish(stored.ref)
        async with asyncio.timeout(60):
            async for update in runs.WatchRun(runs_pb2.WatchRunRequest(id="r")):
                if reports := update.status.trainings:
                    break
        assert (reports[0].dataset, reports[0].steps) == ("001", 2000)
        assert reports[0].step > 0
        assert reports[0].memory_mb > 0
        assert training_line(reports[0]).startswith(f"training 001: step {reports[0].step}/2000, loss ")
        async with httpx.AsyncClient() as client:
            assert "of 2000</span>" in (await client.get(f"{context.web}/runs/r")).text
        own = await trainer.GetTraining(trainer_pb2.GetTrainingRequest(run="r", dataset="001"))
        assert own.progress.step >= reports[0].step
        await runs.CancelRun(runs_pb2.CancelRunRequest(id="r", reason="enough"))
        await until(lambda: not workers())
        await until_acknowledged(context)
        assert not (await runs.GetRun(runs_pb2.GetRunRequest(id="r"))).status.trainings
        with pytest.raises(grpc.aio.AioRpcError, match="run r was cancelled: its training was stopped") as caught:
            async for _ in trainer.Train(trainer_pb2.TrainRequest(run="r", dataset="001")):
                pass
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert await context.artifacts.find("r", "checkpoint", "001") is None
        assert (await context.bus.jetstream.stream_info("UCODER_DEAD")).state.messages == 0


async def test_progress_events_are_forgotten_when_they_end_or_cannot_be_read(
    make_settings: Make, nats_url: str
) -> None:
    bus = await Bus.connect(make_settings(nats_url=nats_url))
    try:
        heard = await TrainingsInProgress.listen(bus)
        event = trainer_pb2.TrainingProgress(step=1, steps=2, dataset="001")
        await publish_training_progress(bus, "r", "001", event)
        await publish_training_progress(bus, "r", "001-control", event)
        await until(lambda: heard.of_run("r") == [event, event])
        assert heard.of_run("another") == []
        await publish_training_progress(bus, "r", "001", None)
        await until(lambda: heard.of_run("r") == [event])
        await bus.client.publish(f"{PROGRESS_EVENTS[0].subject}.r.001-control", b"\xff")
        await until(lambda: heard.of_run("r") == [])
    finally:
        await bus.close()
    await publish_training_progress(bus, "r", "001", event)  # a closed bus raises nothing


async def test_a_trainer_that_restarts_finds_its_job_and_a_cancelled_run_ends_it(
    make_settings: Make, nats_url: str, tmp_path: Path
) -> None:
    async with ApiServer.running() as cluster:
        settings = make_settings(nats_url=nats_url, drain_seconds=0.1, **cluster_settings(cluster, tmp_path))

        def jobs() -> list[str]:
            return [name for kind, name in cluster.objects if kind.plural == "jobs"]

        async with serving(settings, ("trainer",)) as context:
            stored = await StoredRun.create(context.artifacts)
            await context.states.begin("r")
            await context.bus.publish(stored.ref)
            await until(jobs)
        [left] = jobs()
        uid = next(iter(cluster.objects.values()))["metadata"]["uid"]
        async with serving(settings, ("trainer",)) as context:
            await until(
                lambda: cluster.calls.count(("create", "jobs", "")) == 2
            )  # delivered again; the Job exists already
            assert jobs() == [left]
            assert next(iter(cluster.objects.values()))["metadata"]["uid"] == uid
            await context.states.end("r", "cancelled", "enough")
            await until(lambda: not jobs())
            await until_acknowledged(context)


async def test_a_run_cancelled_while_no_trainer_runs_leaves_no_job(
    make_settings: Make, nats_url: str, tmp_path: Path
) -> None:
    async with ApiServer.running() as cluster:
        settings = make_settings(nats_url=nats_url, drain_seconds=0.1, **cluster_settings(cluster, tmp_path))
        async with serving(settings, ("trainer",)) as context:
            stored = await StoredRun.create(context.artifacts)
            await context.states.begin("r")
            await context.bus.publish(stored.ref)
            await until(lambda: cluster.objects)
        async with serving(settings, ("runs",)) as context:
            await context.states.end("r", "cancelled", "enough")
        assert cluster.objects
        async with serving(settings, ("trainer",)):
            await until(lambda: not cluster.objects)
