"""Tests that each service starts from its image, as the chart runs it, and answers gRPC health."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ucoder.flow import SERVICES
from ucoder.runtime.settings import Settings

from .conftest import RESTRICTED, Images


@pytest.mark.parametrize("name", ["ucoder-service", "ucoder-sandbox", "ucoder-trainer"])
def test_an_image_is_labelled_and_its_user_is_nobody(images: Images, name: str) -> None:
    config = images.inspected(name)["config"]
    assert int(config["User"].partition(":")[0]) >= 10001
    assert config["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    assert len(config["Labels"]["org.opencontainers.image.revision"]) == 40


def test_another_commit_changes_labels_and_no_layer(images: Images) -> None:
    """Builds the same sources twice: the builder reuses every layer, so that none is pushed and pulled again."""
    targets = ("service", "sandbox", "trainer")
    images.build(*targets, REVISION="0" * 40, TAG="another")
    try:
        for target in targets:
            was, now = images.inspected(f"ucoder-{target}"), images.inspected(f"ucoder-{target}", "another")
            assert now["config"]["Labels"]["org.opencontainers.image.revision"] == "0" * 40
            assert now["config"]["Labels"]["org.opencontainers.image.version"] == "another"
            assert now["rootfs"]["diff_ids"] == was["rootfs"]["diff_ids"], target
    finally:
        images.command("buildah", "rmi", *(f"localhost/ucoder-{target}:another" for target in targets))


@pytest.mark.parametrize(("service", "image"), [*((one, "service") for one in SERVICES), ("trainer", "trainer")])
async def test_it_starts_and_answers_health(
    images: Images, service: str, image: str, nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """Runs with the image's own user, no capability and a read-only root; only store and cache can be written."""
    for folder in (tmp_path / "store", tmp_path / "cache"):
        folder.mkdir()
        os.chown(folder, 10001, 10001)
    variables = {
        "UCODER_NATS_URL": nats_url,
        "UCODER_STORE_URL": "file:///var/lib/ucoder/store",
        "UCODER_CACHE_DIR": "/var/cache/ucoder",
        "UCODER_LISTEN": "127.0.0.1:7170",
        "UCODER_MODEL_URL": "http://127.0.0.1:9/v1",
        "UCODER_ISOLATION": "none",  # the image is what is tested here; the sandbox has tests of its own
        "UCODER_CELLS": "1",
        "UCODER_DRAIN_SECONDS": "1",
    }
    name = f"ucoder-{service}-{image}-{os.getpid()}"
    process = await asyncio.create_subprocess_exec(
        "podman", "run", "--name", name, *RESTRICTED, "--network=host",
        "-v", f"{tmp_path / 'store'}:/var/lib/ucoder/store", "-v", f"{tmp_path / 'cache'}:/var/cache/ucoder",
        *(word for key, value in variables.items() for word in ("-e", f"{key}={value}")),
        f"localhost/ucoder-{image}:0.1.0", "serve", service.replace("_", "-"),
        env=images.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    log = asyncio.create_task(process.stdout.read())
    answer, said = 1, b""
    try:
        async with asyncio.timeout(120):
            while answer and not log.done():
                probe = await asyncio.create_subprocess_exec(
                    "podman", "exec", name, "python3", "/app/healthy.py",
                    env=images.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                )  # fmt: skip
                said = (await probe.communicate())[0]
                answer = int(probe.returncode or 0)
    except TimeoutError:
        pass
    finally:
        stop = await asyncio.create_subprocess_exec(
            "podman", "stop", "-t", "20", name, env=images.environment, stdout=asyncio.subprocess.DEVNULL
        )
        await stop.wait()
        output = (await log).decode()
        await process.wait()
    assert answer == 0, f"{said.decode()}\n{output}"
    assert b"SERVING" in said
    assert "service.stopped" in output  # SIGTERM drained it
