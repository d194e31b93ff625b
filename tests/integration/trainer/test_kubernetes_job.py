"""Trainings as Jobs of a scripted cluster, made from the chart's own template; the pods that train are real."""

import asyncio
import copy
import hashlib
import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.api_server import ApiServer
from tests.integration.trainer.scripted_cluster import JOBS, ClusterTraining
from tests.integration.trainer.stored_run import BASE, StoredRun, job_template

from ucoder.errors import Misconfigured, Reject, Retry
from ucoder.runtime.kubernetes_api import Object
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.trainer.kubernetes_job import DATASET_ANNOTATION, RUN_LABEL
from ucoder.trainer.training_job import ExitCode

KILLED = {"name": "training", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}


async def test_a_pod_trains_and_its_weights_reach_the_store(training: ClusterTraining) -> None:
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    name = training.pod()
    annotations = training.job()["spec"]["template"]["metadata"]["annotations"]
    variables = {"UCODER_STORE_URL": training.settings.store_url, "UCODER_CACHE_DIR": str(training.settings.cache_dir)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ucoder.trainer.training_pod", annotations[DATASET_ANNOTATION],
        env={**os.environ, **variables, "OMP_NUM_THREADS": "1"}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        lines = ""
        async for line in process.stdout:
            lines += line.decode()
            training.server.logs[name] = lines
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    summary, probe = await task
    assert (summary.examples, summary.steps) == (8, 2)
    assert training.progress[-1].step in (1, 2)
    assert -20 < probe < 0
    card = (await training.store.get("r/weights/001/README.md")).decode()
    assert f"| datasets | `r/001 {training.dataset.sha256}` |" in card
    weights = hashlib.sha256((Path(BASE) / "model.safetensors").read_bytes()).hexdigest()
    assert f"| base | `{BASE}`, model.safetensors sha256 `{weights[:16]}` |" in card
    assert '"learning_rate": 0.0005, "epochs": 1, "batch": 4' in card
    assert f"| made with | ucoder {version('ucoder')}, torch " in card
    again, same = await training.train()  # redelivered: the weights are in the store, and the cluster gets no call
    assert (again, same) == (summary, probe)
    assert [call for call in training.server.calls if call[0] == "create"] == [("create", "jobs", "")]


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({"max_tokens": 8}, "none of 8 training examples fits into 8 tokens"),
        ({"base": "/nowhere/model"}, "base model /nowhere/model: no Hugging Face model folder"),
    ],
)
async def test_an_error_that_no_retry_can_correct_ends_the_training_before_its_job_has_failed(
    make_settings: Callable[..., Settings], template: Path, stored: dict[str, Any], words: str
) -> None:
    """The pod's command is the chart's own, and its exit code is the one in the chart's podFailurePolicy."""
    async with ApiServer.running() as server:
        settings = make_settings(training_template=template, kubernetes_url=server.url, kubernetes_namespace="space")
        store = Store(settings)
        run = await StoredRun.create(Artifacts(store), **stored)
        training = ClusterTraining(server, settings, run.dataset)
        task = asyncio.create_task(training.train())
        await training.until_submitted()
        spec = training.job()["spec"]
        [container] = spec["template"]["spec"]["containers"]
        command = [*container["command"][1:], *container["args"]]
        variables = {"UCODER_STORE_URL": settings.store_url, "UCODER_CACHE_DIR": str(settings.cache_dir)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, *[word.replace("$(DATASET)", "r/001") for word in command],
            env={**os.environ, **variables, "OMP_NUM_THREADS": "1"}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate()
        refused = [rule for rule in spec["podFailurePolicy"]["rules"] if rule["action"] == "FailJob"]
        assert refused[0]["onExitCodes"]["values"] == [process.returncode] == [ExitCode.REJECTED]
        training.server.logs[training.pod()] = output.decode()
        with pytest.raises(Reject, match=words):
            await task
        assert "status" not in training.job()


async def test_a_job_that_is_there_is_followed_and_a_failed_one_made_anew(training: ClusterTraining) -> None:
    first = asyncio.create_task(training.train())
    await training.until_submitted()
    second = asyncio.create_task(training.train())
    await training.until_submitted(2)
    await asyncio.sleep(0.2)
    training.fail("DeadlineExceeded")
    for task in (first, second):
        with pytest.raises(Retry, match="DeadlineExceeded"):
            await task
    async with training.followed(4) as third:  # the first attempt is refused because the failed Job exists
        await asyncio.sleep(0.2)
        assert "status" not in training.job()
        there = training.job()
    assert third.cancelled()
    assert training.job() == there, "a trainer that restarts must find its Job"
    await training.jobs.remove(training.dataset)
    assert not any(kind == JOBS for kind, _ in training.server.objects)


@pytest.mark.parametrize(
    ("status", "line", "error", "words"),
    [
        ({}, {"error": "Reject", "text": "the loss became nan"}, Reject, "the loss became nan"),
        ({"phase": "Failed", "reason": "Evicted", "message": "node was low"}, {}, Retry, "Evicted node was low"),
        ({"containerStatuses": [KILLED]}, {}, Retry, "OOMKilled, exit code 137; raise training.resources"),
    ],
)
async def test_the_error_says_how_a_pod_ended(
    training: ClusterTraining, status: Object, line: Object, error: type[Exception], words: str
) -> None:
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    training.server.logs[training.pod(**status)] = json.dumps(line)
    if error is not Reject:  # a Reject does not wait for the failure of the Job
        training.fail()
    with pytest.raises(error, match=words):
        await task


async def test_a_job_that_disappears_while_it_blocks_the_name_is_made_anew(training: ClusterTraining) -> None:
    training.server.refuse["create"] = 409
    async with training.followed() as task:
        await asyncio.sleep(0.3)
        assert not task.done()
        training.server.refuse.clear()
        async with asyncio.timeout(30):
            while not any(kind == JOBS for kind, _ in training.server.objects):
                await asyncio.sleep(0.02)
        assert training.job()


async def test_a_job_that_is_being_removed_is_not_followed(training: ClusterTraining) -> None:
    async with training.followed():
        leaving = training.job()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    async with training.followed(3) as second:
        del training.server.objects[JOBS, leaving["metadata"]["name"]]
        async with asyncio.timeout(30):
            while not any(kind == JOBS for kind, _ in training.server.objects):
                await asyncio.sleep(0.02)
        assert not second.done()


async def test_a_job_that_is_being_made_while_its_training_is_cancelled_does_not_outlive_it(
    training: ClusterTraining,
) -> None:
    training.server.slow = 0.5
    async with training.followed():
        pass
    await training.jobs.remove(training.dataset)
    await asyncio.sleep(2 * training.server.slow)
    assert not training.server.objects


async def test_the_jobs_of_ended_runs_are_removed(training: ClusterTraining) -> None:
    async with training.followed():
        pass
    foreign = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "another"}}
    training.server.put(foreign)

    async def ended(run: str) -> bool:
        return run in runs

    runs: set[str] = set()
    await training.jobs.remove_unwanted(ended)
    assert training.server.calls.count(("list", "jobs", "")) == 1
    assert len([1 for kind, _ in training.server.objects if kind == JOBS]) == 2
    runs.add("r")
    await training.jobs.remove_unwanted(ended)
    assert [name for kind, name in training.server.objects if kind == JOBS] == ["another"]


async def test_jobs_of_others_are_never_touched(training: ClusterTraining) -> None:
    """Another release in the namespace has Jobs of the same kind, even for a run of the same id."""
    async with training.followed():
        pass
    other = copy.deepcopy(training.job())
    name = other["metadata"]["name"]
    other["metadata"]["labels"]["app.kubernetes.io/instance"] = "other"
    training.server.put(other)

    async def ended(run: str) -> bool:
        return True

    await training.jobs.remove_unwanted(ended)
    await training.jobs.remove(training.dataset)
    with pytest.raises(Misconfigured, match=f"Job {name} exists and does not have this release's labels"):
        await training.train()
    assert training.job() == other
    assert not [call for call in training.server.calls if call[0] in ("delete", "patch")]


async def test_an_invalid_template_is_named(training: ClusterTraining, tmp_path: Path) -> None:
    broken = tmp_path / "job.yaml"
    broken.write_text("kind: Job")
    training.settings = training.settings.model_copy(update={"training_template": broken})
    with pytest.raises(Misconfigured, match="UCODER_TRAINING_TEMPLATE"):
        await training.train()


async def test_several_nodes_make_a_jobset(
    training: ClusterTraining, tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    shared_data("crds")  # without the schemas the server could not validate the JobSet
    template = job_template("training on nodes", tmp_path)
    training.settings = training.settings.model_copy(update={"training_template": template})
    task = asyncio.create_task(training.train())
    async with asyncio.timeout(30):
        while not (found := [one for (kind, _), one in training.server.objects.items() if kind.plural == "jobsets"]):
            await asyncio.sleep(0.02)
    pods = found[0]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    assert pods["metadata"]["annotations"][DATASET_ANNOTATION] == "r/001"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert yaml.safe_load(template.read_text())["kind"] == "JobSet"


async def test_a_train_job_passes_the_dataset_to_its_pods_and_is_removed_when_its_weights_are_stored(
    training: ClusterTraining, tmp_path: Path, shared_data: Callable[[str], Path]
) -> None:
    shared_data("crds")  # the schema of a TrainJob is made from that of a JobSet
    template = job_template("kubeflow on nodes", tmp_path)
    training.settings = training.settings.model_copy(update={"training_template": template})
    async with asyncio.timeout(30), training.followed(plural="trainjobs") as task:
        [(kind, name)] = training.server.objects
        one = training.server.objects[kind, name]
        assert one["spec"]["trainer"]["env"] == [{"name": "DATASET", "value": "r/001"}]
        assert (one["metadata"]["labels"][RUN_LABEL], one["metadata"]["annotations"][DATASET_ANNOTATION]) == (
            "r",
            "r/001",
        )
        training.server.pod(f"{name}-pod", {"jobset.sigs.k8s.io/jobset-name": name})
        training.server.logs[f"{name}-pod"] = json.dumps({"progress": {"step": 3, "steps": 4}})
        while not (training.progress and training.progress[-1].step == 3):
            await asyncio.sleep(0.02)
        result = {"examples": 8, "steps": 4, "training": "t", "probe_log_prob": -2.0}
        await training.store.create("r/weights/001/ucoder_training.json", json.dumps(result).encode())
        summary, probe = await task
    assert (summary.steps, probe) == (4, -2.0)
    assert (kind, name) not in training.server.objects
    training.server.objects[kind, name] = one  # as a trainer leaves it that is killed before it removes the object
    assert await training.train() == (summary, probe)
    assert (kind, name) not in training.server.objects
