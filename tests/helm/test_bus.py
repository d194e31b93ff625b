"""The chart's own NATS configuration on a real nats-server, the hook that declares the bus, and the lag KEDA reads."""

import asyncio
import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ucoder.flow import FLOW
from ucoder.runtime.bus import Bus
from ucoder.runtime.nats_server import binary
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

from .chart import CHART, of_kind, render


def configuration(variant: str, folder: Path) -> Path:
    """nats.conf as rendered, with ports that are free and a folder of the test's own."""
    text = of_kind(render(variant), "ConfigMap")["release-nats"]["data"]["nats.conf"]
    for ours, here in (
        ("port: 4222", "port: -1"),
        ("http: 0.0.0.0:8222", "http: 127.0.0.1:-1"),
        ("/data", str(folder / "data")),
        ("/run/nats/nats.pid", str(folder / "nats.pid")),
    ):
        assert ours in text
        text = text.replace(ours, here)
    path = folder / "nats.conf"
    path.write_text(f"host: 127.0.0.1\nports_file_dir: {json.dumps(str(folder))}\n" + text)
    return path


@contextlib.asynccontextmanager
async def running(conf: Path) -> AsyncIterator[dict[str, list[str]]]:
    """A server with that configuration; gives its addresses."""
    process = await asyncio.create_subprocess_exec(
        binary(), "--config", str(conf), env={"POD_NAME": "release-nats-0"}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            while not (found := list(conf.parent.glob("*.ports"))):
                await asyncio.sleep(0.05)
            while not (text := found[0].read_text()):
                await asyncio.sleep(0.05)
        yield json.loads(text)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@pytest.mark.parametrize("variant", ["defaults", "gke", "three servers"])
def test_the_server_takes_its_configuration(variant: str, tmp_path: Path) -> None:
    conf = configuration(variant, tmp_path)
    if "include" in conf.read_text():
        (tmp_path / "auth").mkdir()
        (tmp_path / "auth" / "auth.conf").write_text("authorization { token: aaaaaaaaaaaaaaaa }\n")
    done = subprocess.run(
        [binary(), "-t", "--config", str(conf)], env={"POD_NAME": "x"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def test_the_hook_makes_every_consumer_and_keda_s_lag_is_the_backlog(tmp_path: Path) -> None:
    async with running(configuration("defaults", tmp_path)) as addresses:
        url, monitor = addresses["nats"][0], addresses["monitoring"][0]
        assert await lag(monitor) == {}
        hook = await asyncio.create_subprocess_exec(
            sys.executable, str(CHART / "files" / "declare.py"), env={"UCODER_NATS_URL": url}
        )
        assert await hook.wait() == 0
        assert await lag(monitor) == {arrow.name: 0 for arrow in FLOW}

        bus = await Bus.connect(Settings(nats_url=url))
        for number in range(5):
            await bus.publish(pb.Ref(kind="brief", run="r", name=f"001-{number:06d}", sha256="0" * 64))
        taken = await bus.jetstream.pull_subscribe_bind("brief_to_problem", "UCODER")
        in_hand = await taken.fetch(2)
        assert (await lag(monitor))["brief_to_problem"] == 5  # three pending, two in hand: a busy pod is not idle
        for message in in_hand:
            await message.ack_sync(timeout=5)
        assert (await lag(monitor))["brief_to_problem"] == 3
        await bus.close()


async def lag(monitor: str) -> dict[str, int]:
    """num_pending + num_ack_pending by consumer, from the endpoint and with the arguments that KEDA uses."""

    def ask() -> Any:
        with urllib.request.urlopen(f"{monitor}/jsz?acc=$G&consumers=true&config=true", timeout=10) as answer:
            return json.load(answer)

    accounts = (await asyncio.to_thread(ask)).get("account_details", [])
    return {
        consumer["name"]: consumer["num_pending"] + consumer["num_ack_pending"]
        for account in accounts
        for stream in account.get("stream_detail", [])
        if stream["name"] == "UCODER"
        for consumer in stream.get("consumer_detail", [])
    }
