"""Runs the scripts of the chart's hooks, probes and init containers against real services."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.s3 import KEYS, s3_server

from ucoder.errors import Retry
from ucoder.runtime.app import serving
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb

from .certificates import certificates
from .chart import CHART, ROOT


async def script(*command: str | Path, **environment: str) -> tuple[int, str]:
    """Runs one of our scripts; returns its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": os.environ["PATH"], "HOME": "/nonexistent",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),  # the package under test, not an installed one
            **environment,
        },
    )  # fmt: skip
    output = (await process.communicate())[0].decode()
    assert process.returncode is not None
    return process.returncode, output


async def test_helm_test_gets_a_real_selection_and_needs_its_token(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("tests:abcdefghijklmnop\n")
    settings = make_settings(nats_url=nats_url, cells=1)
    async with serving(settings, ("sandbox_runner",)) as runner:
        door = make_settings(nats_url=nats_url, peers=f"sandbox_runner={runner.address}", tokens_file=tokens)
        async with serving(door, ("consensus",)) as context:
            status, output = await script(CHART / "files" / "ask_consensus.py", context.address, TOKENS=str(tokens))
            assert status == 0, output
            assert output.startswith("selected program ")
            status, output = await script(CHART / "files" / "ask_consensus.py", context.address)
            assert status != 0
            assert "UNAUTHENTICATED" in output


async def test_the_probe_speaks_tls_and_shows_its_certificate(
    nats_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    certificates(tmp_path)
    files: dict[str, Any] = {
        "tls_certificate": tmp_path / "tls.crt", "tls_key": tmp_path / "tls.key", "tls_client_ca": tmp_path / "ca.crt",
    }  # fmt: skip
    environment = {f"UCODER_{name.upper()}": str(path) for name, path in files.items()}
    environment["UCODER_TLS_CA"] = str(tmp_path / "ca.crt")
    probe = ROOT / "deploy" / "healthy.py"
    async with serving(make_settings(nats_url=nats_url, **files), ("runs",)) as context:
        environment["UCODER_LISTEN"] = context.address
        async with asyncio.timeout(30):
            while (answer := await script(probe, **environment))[0]:
                await asyncio.sleep(0.2)
        assert answer == (0, "SERVING\n")
    assert (await script(probe, **environment))[0] == 1


async def test_weights_are_fetched_from_the_store_or_named(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    await Store(settings).put_folder(folder, "run/weights/001")
    environment = {"UCODER_STORE_URL": settings.store_url, "SERVE": str(tmp_path / "serve.yaml"), "BASE": "org/base"}
    weights = CHART / "files" / "weights.py"

    status, output = await script(weights, CHECKPOINT="store:run/weights/001", **environment)
    assert status == 0, output
    served = json.loads((tmp_path / "serve.yaml").read_text())
    assert served["served-model-name"] == ["store:run/weights/001"]
    assert (Path(served["model"]) / "config.json").is_file()

    assert (await script(weights, CHECKPOINT="", **environment))[0] == 0
    assert json.loads((tmp_path / "serve.yaml").read_text()) == {"model": "org/base", "served-model-name": ["org/base"]}
    status, output = await script(weights, CHECKPOINT="store:run/weights/002", **environment)
    assert status != 0
    assert output == f"store {settings.store_url}: no run/weights/002.\n"


async def test_the_volume_keeps_the_best_checkpoint_of_the_run(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    async with s3_server(tmp_path) as endpoint:
        store = Store(make_settings(store_url="s3://artefacts", store_endpoint=endpoint))
        async with asyncio.timeout(60):
            while True:
                try:
                    await store.create("warm", b"")
                    break
                except Retry:  # the bucket of a server that has just started
                    await asyncio.sleep(0.3)
        for number in range(1, 9):
            folder = tmp_path / "checkpoint"
            folder.mkdir(exist_ok=True)
            (folder / "config.json").write_text(str(number))
            await store.put_folder(folder, f"run/weights/{number:03d}")
        best = pb.ServedModel(checkpoint=pb.Checkpoint(run="run", path="store:run/weights/001"))
        await Artifacts(store).save("run", pb.Iteration(run="run", index=1, served=best))
        cache = tmp_path / "volume"
        environment = {
            "UCODER_STORE_URL": store.url, "UCODER_STORE_ENDPOINT": endpoint, "UCODER_CACHE_DIR": str(cache),
            "SERVE": str(tmp_path / "serve.yaml"), "BASE": "org/base", **KEYS,
        }  # fmt: skip
        (cache / "folders" / ".aside" / "unfinished").mkdir(parents=True)
        for number in range(1, 9):
            status, output = await script(
                CHART / "files" / "weights.py", CHECKPOINT=f"store:run/weights/{number:03d}", **environment
            )
            assert status == 0, output
    kept = sorted(path.name for path in (cache / "folders").glob("run/weights/*"))
    assert kept == ["001", "004", "005", "006", "007", "008"]
    assert not list((cache / "folders" / ".aside").iterdir())
