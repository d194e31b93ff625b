"""Tests the chart's NATS configuration on a real server, the hook that makes the streams, and the lag KEDA reads."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ucoder.errors import Misconfigured, Retry
from ucoder.flow import FLOW
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.nats_server import server_program
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

from .certificates import certificates
from .chart import CHART, of_kind, render


def configuration(variant: str, folder: Path, routes: Sequence[int] = (), number: int = 0) -> Path:
    """Writes nats.conf as rendered, but with free ports and a folder of this test. `routes`: the ports of a cluster."""
    text = of_kind(render(variant), "ConfigMap")["release-nats"]["data"]["nats.conf"]
    for rendered, replacement in (
        ("port: 4222", "port: -1"),
        ("http: 0.0.0.0:8222", "http: 127.0.0.1:-1"),
        ("/data", str(folder / "data")),
        ("/run/nats/nats.pid", str(folder / "nats.pid")),
    ):
        assert rendered in text
        text = text.replace(rendered, replacement)
    text = text.replace("/etc/nats/tls/", f"{folder.parent if routes else folder}/")
    for other, port in enumerate(routes):
        text = text.replace(f"release-nats-{other}.release-nats-headless.space.svc:6222", f"localhost:{port}")
    if routes:
        text = text.replace("listen: 0.0.0.0:6222", f"listen: 127.0.0.1:{routes[number]}")
    path = folder / "nats.conf"
    path.write_text(f"host: 127.0.0.1\nports_file_dir: {json.dumps(str(folder))}\n" + text)
    return path


@contextlib.asynccontextmanager
async def running(conf: Path, name: str = "release-nats-0") -> AsyncIterator[dict[str, list[str]]]:
    """Runs a server with that configuration while the block runs, and yields its addresses."""
    process = await asyncio.create_subprocess_exec(
        server_program(), "--config", str(conf), env={"POD_NAME": name}, stderr=asyncio.subprocess.DEVNULL
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
        [server_program(), "-t", "--config", str(conf)],
        env={"POD_NAME": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def test_the_hook_makes_every_consumer_and_keda_s_lag_is_the_backlog(tmp_path: Path) -> None:
    async with running(configuration("defaults", tmp_path)) as addresses:
        url, monitor = addresses["nats"][0], addresses["monitoring"][0]
        assert await lag(monitor) == {}
        assert await hook("declare", UCODER_NATS_URL=url) == (0, "declare: done\n")
        assert await lag(monitor) == {arrow.name: 0 for arrow in FLOW}

        bus = await Bus.connect(Settings(nats_url=url))
        for number in range(5):
            await bus.publish(pb.Ref(kind="brief", run="r", name=f"001-{number:06d}", sha256="0" * 64))
        taken = await bus.jetstream.pull_subscribe_bind("brief_to_problem", "UCODER")
        in_hand = await taken.fetch(2)
        assert (await lag(monitor))[
            "brief_to_problem"
        ] == 5  # three pending and two unacknowledged: a busy pod is not idle
        for message in in_hand:
            await message.ack_sync(timeout=5)
        assert (await lag(monitor))["brief_to_problem"] == 3
        await bus.close()


async def hook(job: str, **environment: str) -> tuple[int, str]:
    """Runs the script of a hook's container; returns its exit status and output."""
    environment |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}  # the package under test, not an installed one
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHART / "files" / "declare.py"), job, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    assert process.returncode is not None
    return process.returncode, said


async def test_an_upgrade_does_not_wait_for_a_bus_that_it_may_repair() -> None:
    nobody = {"UCODER_NATS_URL": "nats://127.0.0.1:9", "UCODER_NATS_WAIT_SECONDS": "1"}
    status, said = await hook("declare", **nobody)
    assert status == 0
    assert "not declared: no NATS server answers" in said
    assert (await hook("resize", **nobody))[0] != 0


async def test_an_upgrade_does_not_wait_for_a_certificate_that_it_brings(nats_url: str, tmp_path: Path) -> None:
    """An upgrade that turns TLS on runs its hook before cert-manager has made the secret."""
    scope = of_kind(render("production"), "Job")["release-declare"]["spec"]["template"]["spec"]
    secrets = [volume["secret"] for volume in scope["volumes"] if "secret" in volume]
    assert len(secrets) == 3
    assert all(secret["optional"] for secret in secrets)
    missing = {"NATS_CA": "ca.crt", "TLS_CERTIFICATE": "tls.crt", "TLS_KEY": "tls.key"}
    variables = {f"UCODER_{name}": str(tmp_path / file) for name, file in missing.items()}
    status, said = await hook("declare", UCODER_NATS_URL=nats_url, **variables)
    assert status == 0, said
    assert said.startswith("not declared: ")


async def test_with_certificates_the_bus_accepts_clients_that_show_one(tmp_path: Path) -> None:
    certificates(tmp_path)
    files = {"nats_ca": tmp_path / "ca.crt", "tls_certificate": tmp_path / "tls.crt", "tls_key": tmp_path / "tls.key"}
    async with running(configuration("tls by secret", tmp_path)) as addresses:
        url = addresses["nats"][0].replace("127.0.0.1", "localhost")
        bus = await Bus.connect(Settings(nats_url=url, **files))
        assert await bus.publish(pb.Ref(kind="run", run="r", name="r", sha256="0" * 64))
        await bus.close()
        for less in ({}, {"nats_ca": files["nats_ca"]}):
            with pytest.raises(Misconfigured, match="no NATS server answers"):
                await Bus.connect(Settings(nats_url=url, nats_wait_seconds=1, **less))


async def test_three_servers_keep_everything_when_one_is_killed(tmp_path: Path) -> None:
    """Runs the chart's cluster over TLS; the hook gives streams that were made with one replica two more."""
    certificates(tmp_path)
    with contextlib.ExitStack() as held:
        doors = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [door.getsockname()[1] for door in doors]
    (tmp_path / "auth").mkdir()
    async with contextlib.AsyncExitStack() as servers:
        alone, urls = [], []
        for number in range(3):
            folder = tmp_path / f"server-{number}"
            (folder / "auth").mkdir(parents=True)
            (folder / "auth" / "auth.conf").write_text("")
            server = contextlib.AsyncExitStack()
            conf = configuration("three servers over TLS", folder, ports, number)
            addresses = await server.enter_async_context(running(conf, f"release-nats-{number}"))
            urls += [addresses["nats"][0].replace("127.0.0.1", "localhost")]
            alone.append(await servers.enter_async_context(server))
        files = {
            "nats_ca": tmp_path / "ca.crt",
            "tls_certificate": tmp_path / "tls.crt",
            "tls_key": tmp_path / "tls.key",
        }
        bus = await Bus.connect(Settings(nats_url=",".join(urls), **files))
        refs = [pb.Ref(kind="brief", run="r", name=f"001-{number:06d}", sha256="0" * 64) for number in range(200)]
        for ref in refs[:100]:
            await bus.publish(ref)
        environment = {f"UCODER_{name.upper()}": str(path) for name, path in files.items()}
        environment |= {"UCODER_NATS_URL": ",".join(urls), "UCODER_NATS_REPLICAS": "3"}
        status, said = await hook("resize", **environment)
        assert status == 0, said
        async with asyncio.timeout(60):
            while True:
                info = await bus.jetstream.stream_info("UCODER")
                queue = await bus.jetstream.consumer_info("UCODER", "brief_to_problem")
                others = [(one.cluster and one.cluster.replicas) or [] for one in (info, queue)]
                if all(len(peers) == 2 and all(peer.current for peer in peers) for peers in others):
                    break
                await asyncio.sleep(0.2)
        status, said = await hook("declare", **{**environment, "UCODER_NATS_REPLICAS": "1"})
        assert status != 0
        assert "is kept by 3 servers: nats.replicas cannot be lowered to 1." in said
        assert info.cluster.leader
        await alone[int(info.cluster.leader[-1])].aclose()
        for ref in refs[100:]:
            async with asyncio.timeout(60):
                while True:
                    with contextlib.suppress(Retry):
                        await bus.publish(ref)
                        break
                    await asyncio.sleep(0.2)
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(Retry):  # the queue too gets a new leader
                    assert (await bus.queue("brief_to_problem")).waiting == 200
                    break
                await asyncio.sleep(0.2)
        await bus.close()


async def lag(monitor: str) -> dict[str, int]:
    """Returns num_pending + num_ack_pending by consumer, from the endpoint and with the arguments that KEDA uses."""

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
