"""Jobs that cannot continue: the reason is named at once, and the trainer waits as long as the settings say."""

import asyncio
import json

import pytest
from tests.integration.trainer.scripted_cluster import JOBS, ClusterTraining

from ucoder.errors import Misconfigured, Retry
from ucoder.runtime.kubernetes_api import Object


async def test_a_pod_that_can_never_start_is_named(training: ClusterTraining) -> None:
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    waiting = {"name": "training", "state": {"waiting": {"reason": "InvalidImageName", "message": "a b"}}}
    training.pod(phase="Pending", containerStatuses=[waiting])
    with pytest.raises(Misconfigured, match="InvalidImageName a b"):
        await task


BACK_OFF = {"name": "training", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}
NO_ROOM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes have a GPU"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"phase": "Pending", "containerStatuses": [BACK_OFF]}, "ImagePullBackOff no such tag"),
        ({"phase": "Pending", "conditions": [NO_ROOM]}, "Unschedulable 0/3 nodes have a GPU"),
    ],
)
async def test_a_pod_that_does_not_start_is_named_at_once_and_removed_in_the_end(
    training: ClusterTraining, status: Object, words: str
) -> None:
    training.set_patience(1.0)
    task = asyncio.create_task(training.train_unsuspended())
    await training.until_submitted()
    training.pod(**status)
    with pytest.raises(Misconfigured, match=f"could not start for 1 s: {words}"):
        await task
    assert training.progress[-1].waiting == words
    assert not any(kind == JOBS for kind, _ in training.server.objects)


async def test_a_job_without_pods_is_named(training: ClusterTraining) -> None:
    training.set_patience(0.5)
    with pytest.raises(Misconfigured, match="has made no pod"):
        await training.train_unsuspended()


async def test_a_suspended_job_waits_without_limit(training: ClusterTraining) -> None:
    training.set_patience(0.2)
    async with training.followed() as task:
        await asyncio.sleep(1)
        assert not task.done()
        assert training.progress[-1].waiting == "queued: the Job is suspended"


async def test_a_pod_that_prints_nothing_more_is_removed_and_retried(training: ClusterTraining) -> None:
    training.set_patience(3.0)
    task = asyncio.create_task(training.train_unsuspended())
    await training.until_submitted()
    name = training.pod()
    for step in range(1, 9):  # each line restarts the time limit
        await asyncio.sleep(0.5)
        training.server.logs[name] = json.dumps({"progress": {"step": step, "steps": 9}})
    assert not task.done()
    with pytest.raises(Retry, match="said nothing for 3 s"):
        await task
    assert training.progress[-1].step == 8
    assert not any(kind == JOBS for kind, _ in training.server.objects)


async def test_the_trainer_gives_up_when_the_api_server_stays_unreachable(training: ClusterTraining) -> None:
    training.set_patience(0.5)
    await training.server.stop()
    with pytest.raises(Retry, match=r"given up waiting for the cluster after 0\.5 s: the Kubernetes API at"):
        await training.train()
    await training.server.start()
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    training.server.refuse["get"] = 503
    with pytest.raises(Retry, match="given up waiting for the cluster"):
        await task
    assert "does not answer" in training.progress[-1].waiting or "503" in training.progress[-1].waiting


async def test_a_short_outage_of_the_api_server_is_waited_out_and_a_deleted_job_is_named(
    training: ClusterTraining,
) -> None:
    await training.server.stop()
    task = asyncio.create_task(training.train())
    await asyncio.sleep(0.3)
    await training.server.start()
    await training.until_submitted()
    training.server.refuse["get"] = 503
    await asyncio.sleep(0.3)
    assert not task.done()
    training.server.refuse.clear()
    del training.server.objects[JOBS, training.job()["metadata"]["name"]]
    with pytest.raises(Retry, match="deleted from outside"):
        await task
