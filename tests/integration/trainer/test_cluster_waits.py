"""What keeps a Job from going on: it is named at once, and waited for as long as the settings say."""

import asyncio
import json

import pytest
from tests.integration.trainer.cluster import JOBS, Training

from ucoder.errors import Misconfigured, Retry
from ucoder.runtime.kubernetes_api import Object


async def test_a_pod_that_can_never_start_is_named(training: Training) -> None:
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
async def test_a_pod_that_does_not_start_is_named_at_once_and_given_up_in_the_end(
    training: Training, status: Object, words: str
) -> None:
    training.patience(1.0)
    task = asyncio.create_task(training.unsuspended())
    await training.until_submitted()
    training.pod(**status)
    with pytest.raises(Misconfigured, match=f"could not start for 1 s: {words}"):
        await task
    assert training.moments[-1].waiting == words
    assert not any(kind == JOBS for kind, _ in training.server.objects)


async def test_a_job_without_pods_is_named(training: Training) -> None:
    training.patience(0.5)
    with pytest.raises(Misconfigured, match="has made no pod"):
        await training.unsuspended()


async def test_a_job_in_a_queue_waits_its_turn(training: Training) -> None:
    training.patience(0.2)
    async with training.followed() as task:
        await asyncio.sleep(1)
        assert not task.done()
        assert training.moments[-1].waiting == "queued: the Job is suspended"


async def test_a_pod_that_says_nothing_more_is_removed_and_tried_again(training: Training) -> None:
    training.patience(3.0)
    task = asyncio.create_task(training.unsuspended())
    await training.until_submitted()
    name = training.pod()
    for step in range(1, 9):  # each word counts as life
        await asyncio.sleep(0.5)
        training.server.logs[name] = json.dumps({"progress": {"step": step, "steps": 9}})
    assert not task.done()
    with pytest.raises(Retry, match="said nothing for 3 s"):
        await task
    assert training.moments[-1].step == 8
    assert not any(kind == JOBS for kind, _ in training.server.objects)


async def test_an_api_server_that_stays_away_is_not_waited_for_for_ever(training: Training) -> None:
    training.patience(0.5)
    await training.server.down()
    with pytest.raises(Retry, match=r"given up waiting for the cluster after 0\.5 s: the Kubernetes API at"):
        await training.train()
    await training.server.up()
    task = asyncio.create_task(training.train())
    await training.until_submitted()
    training.server.refuse["get"] = 503
    with pytest.raises(Retry, match="given up waiting for the cluster"):
        await task
    assert "does not answer" in training.moments[-1].waiting or "503" in training.moments[-1].waiting


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
