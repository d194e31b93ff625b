"""Trainings as Jobs of a scripted cluster, made from the chart's own template; where a pod has to work, it is real."""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.helm.chart import of_kind, render
from tests.integration.api_server import ApiServer

from ucoder.consensus.tables import Row, table
from ucoder.runs.config import load
from ucoder.runtime.artifacts import Artifacts
from ucoder.runtime.cluster import Kind, Object
from ucoder.runtime.errors import Misconfigured, Reject, Retry
from ucoder.runtime.settings import Settings
from ucoder.runtime.store import Store
from ucoder.trainer.cluster_job import DATASET, train
from ucoder.trainer.job import Progress
from ucoder.v1 import artifacts_pb2 as pb

JOBS = Kind("batch/v1", "jobs")
LOOK = 0.05
KILLED = {"name": "training", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}


class Training:
    """A sealed dataset in a store, and a cluster that is asked to train on it."""

    def __init__(self, server: ApiServer, settings: Settings, dataset: pb.Dataset) -> None:
        self.server, self.settings, self.dataset = server, settings, dataset
        self.store = Store(settings)
        self.moments: list[Progress] = []

    async def train(self) -> tuple[pb.TrainingSummary, float]:
        return await train(self.settings, self.store, self.dataset, self.moments.append, LOOK)

    def job(self) -> Object:
        [one] = [one for (kind, _), one in self.server.objects.items() if kind == JOBS]
        return one

    def pod(self, **status: Any) -> str:
        name = self.job()["metadata"]["name"] + "-pod"
        self.server.pod(name, {"job-name": self.job()["metadata"]["name"]}, **status)
        return name

    def fail(self, reason: str = "BackoffLimitExceeded") -> None:
        condition = {"type": "Failed", "status": "True", "reason": reason, "message": ""}
        self.server.put({**self.job(), "status": {"conditions": [condition]}})

    async def until_submitted(self, times: int = 1) -> None:
        async with asyncio.timeout(30):
            while self.server.calls.count(("create", "jobs", "")) < times:
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Job as the chart's ConfigMap gives it to the trainer."""
    [made] = [one for one in of_kind(render("training job"), "ConfigMap").values() if "job.yaml" in one["data"]]
    path = tmp_path_factory.mktemp("template") / "job.yaml"
    path.write_text(made["data"]["job.yaml"])
    return path


@pytest.fixture
async def training(make_settings: Callable[..., Settings], template: Path) -> AsyncIterator[Training]:
    async with ApiServer.running() as server:
        settings = make_settings(training_template=template, kubernetes_url=server.url, kubernetes_namespace="space")
        artifacts = Artifacts(Store(settings))
        run = pb.Run(id="r", format=1, config=load(None, "demo", {"training": {"epochs": 1, "batch": 4}}))
        await artifacts.save("r", run)
        base = str(resources.files("ucoder.seed") / "model")
        await artifacts.save("r", pb.Checkpoint(run="r", variant=pb.VARIANT_LOOP, path=base))
        problem = pb.Problem(prompt='def f(x: int) -> int:\n    """Adds."""\n', entry_point="f")
        endings = [
            pb.Consensus(brief=pb.Brief(run="r", iteration=1, number=n), problem=problem, ending=pb.ENDING_SELECTED)
            for n in range(8)
        ]
        for number, one in enumerate(endings):
            one.problem.prompt = problem.prompt.replace("Adds", f"Adds {number}")
        rows = [
            Row.of(one, pb.Candidate(completion=f"    return x + {n}\n"), 0.5, 0.5) for n, one in enumerate(endings)
        ]
        data = table(rows)
        await artifacts.store.create("r/data/001.parquet", data)
        dataset = pb.Dataset(run="r", iteration=1, variant=pb.VARIANT_LOOP, key="r/data/001.parquet", rows=8,
                             sha256=hashlib.sha256(data).hexdigest())  # fmt: skip
        await artifacts.save("r", dataset)
        yield Training(server, settings, dataset)


async def test_a_pod_trains_and_its_weights_reach_the_store(training: Training) -> None:
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    name = training.pod()
    annotations = training.job()["spec"]["template"]["metadata"]["annotations"]
    variables = {"UCODER_STORE_URL": training.settings.store_url, "UCODER_CACHE_DIR": str(training.settings.cache_dir)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ucoder.trainer.pod", annotations[DATASET],
        env={**os.environ, **variables, "OMP_NUM_THREADS": "1"}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = ""
        async for line in process.stdout:
            said += line.decode()
            training.server.logs[name] = said
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    summary, probe = await task
    assert (summary.examples, summary.steps) == (8, 2)
    assert training.moments[-1].step in (1, 2)
    assert -20 < probe < 0
    again, same = await training.train()  # redelivered: found in the store, the cluster is not asked
    assert (again, same) == (summary, probe)
    assert [call for call in training.server.calls if call[0] == "create"] == [("create", "jobs", "")]


async def test_a_job_that_is_there_is_followed_and_a_failed_one_made_anew(training: Training) -> None:
    first = asyncio.create_task(training.train())
    await training.until_submitted()
    second = asyncio.create_task(training.train())
    await training.until_submitted(2)
    await asyncio.sleep(0.2)
    training.fail("DeadlineExceeded")
    for task in (first, second):
        with pytest.raises(Retry, match="DeadlineExceeded"):
            await task
    third = asyncio.create_task(training.train())
    await training.until_submitted(4)  # refused, for the failed one is there; then anew
    await asyncio.sleep(0.2)
    assert "status" not in training.job()
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await third
    assert not any(kind == JOBS for kind, _ in training.server.objects), "a cancelled training leaves its Job behind"


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        ({}, {"error": "Reject", "text": "the loss became nan"}, Reject, "the loss became nan"),
        ({"phase": "Failed", "reason": "Evicted", "message": "node was low"}, {}, Retry, "Evicted node was low"),
        ({"containerStatuses": [KILLED]}, {}, Retry, "OOMKilled, exit code 137; raise training.resources"),
    ],
)
async def test_what_became_of_a_pod_is_named(
    training: Training, status: Object, said: Object, error: type[Exception], words: str
) -> None:
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    training.server.logs[training.pod(**status)] = json.dumps(said)
    training.fail()
    with pytest.raises(error, match=words):
        await task


async def test_a_pod_that_can_never_start_is_named(training: Training) -> None:
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    waiting = {"name": "training", "state": {"waiting": {"reason": "InvalidImageName", "message": "a b"}}}
    training.pod(phase="Pending", containerStatuses=[waiting])
    with pytest.raises(Misconfigured, match="InvalidImageName a b"):
        await task


async def test_an_api_server_that_is_away_is_waited_for_and_a_deleted_job_named(training: Training) -> None:
    await training.server.down()
    task = asyncio.create_task(training.train())
    await asyncio.sleep(0.3)
    await training.server.up()
    await training.until_submitted()
    training.server.refuse["get"] = 503
    await asyncio.sleep(0.3)
    assert not task.done()
    training.server.refuse.clear()
    del training.server.objects[JOBS, training.job()["metadata"]["name"]]
    with pytest.raises(Retry, match="deleted from outside"):
        await task


async def test_a_template_that_is_none_is_named(training: Training, tmp_path: Path) -> None:
    broken = tmp_path / "job.yaml"
    broken.write_text("kind: Job")
    training.settings = training.settings.model_copy(update={"training_template": broken})
    with pytest.raises(Misconfigured, match="UCODER_TRAINING_TEMPLATE"):
        await training.train()


async def test_several_nodes_make_a_jobset(training: Training, tmp_path: Path) -> None:
    [made] = [one for one in of_kind(render("training on nodes"), "ConfigMap").values() if "job.yaml" in one["data"]]
    template = tmp_path / "jobset.yaml"
    template.write_text(made["data"]["job.yaml"])
    training.settings = training.settings.model_copy(update={"training_template": template})
    task = asyncio.create_task(training.train())
    async with asyncio.timeout(30):
        while not (found := [one for (kind, _), one in training.server.objects.items() if kind.plural == "jobsets"]):
            await asyncio.sleep(0.02)
    pods = found[0]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    assert pods["metadata"]["annotations"][DATASET] == "r/001"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert yaml.safe_load(template.read_text())["kind"] == "JobSet"
