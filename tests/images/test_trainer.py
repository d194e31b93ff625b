"""Tests of the trainer image: it trains as the pod of a training Job does, in the container of the chart's template."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.helm.chart import Object, environment, render, templates
from tests.integration.trainer.stored_run import BASE, StoredRun

from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.trainer.training_job import ExitCode

from .conftest import Images

INSIDE = "/app/venv/lib/python3.11/site-packages/ucoder/seed/model"
"""The shipped model in the image."""


async def trained(
    images: Images, make_settings: Callable[..., Settings], folder: Path, **training: Any
) -> tuple[int, str, Store]:
    """Runs the Job's container on a dataset in a store; returns its exit status, its log, and the store."""
    store = Store(make_settings())
    await StoredRun.create(Artifacts(store), base=INSIDE, **training)
    job = templates(render("training job"))["Job/release-training"]
    [container] = job["spec"]["containers"]
    variables = {**environment(container), "DATASET": "r/001"}  # which the trainer writes into the pod's annotations
    volumes = {"store": folder / "store", "cache": folder / "cache"}
    volumes["cache"].mkdir()
    for path in [*volumes.values(), *volumes["store"].rglob("*")]:
        os.chown(path, 10001, 10001)
    status, said = await images.run(*words(container, variables, volumes))
    return status, said, store


def words(container: Object, variables: dict[str, str], volumes: dict[str, Path]) -> list[str]:
    """Returns podman's arguments for a pod's container; without network, because a training on one node needs none."""
    made = ["--network=none", "--entrypoint", json.dumps(container["command"])]
    made += [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
    for mount in container["volumeMounts"]:
        if mount["name"] in volumes:
            made += ["-v", f"{volumes[mount['name']]}:{mount['mountPath']}"]
    return [
        *made,
        "localhost/ucoder-trainer:0.1.0",
        *(word.replace("$(DATASET)", "r/001") for word in container["args"]),
    ]


async def test_a_training_job_s_container_makes_a_checkpoint(
    images: Images, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    status, said, store = await trained(images, make_settings, tmp_path)
    assert status == 0, said
    told = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [one["progress"]["step"] for one in told if "progress" in one] == [1, 2], said  # 8 rows in batches of 4
    done = json.loads(await store.get(f"r/weights/001/{TRAINING_RESULT_FILE}"))
    assert done["steps"] == 2
    assert await store.get("r/weights/001/model.safetensors") != (Path(BASE) / "model.safetensors").read_bytes()
    assert await store.keys("r/training") == []


async def test_its_exit_status_says_that_no_retry_can_help(
    images: Images, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """Checks the exit status that the Job's podFailurePolicy reads."""
    status, said, _ = await trained(images, make_settings, tmp_path, max_tokens=8)
    assert status == ExitCode.REJECTED, said
    assert "none of 8 training examples fits into 8 tokens" in said
