"""The test bed of the chaos tests: bus, store, proxies and services of one run, and our own connections to them."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import grpc
from tests.chaos.faulty_proxy import FaultyProxy
from tests.s3 import BUCKET, s3_server

from ucoder.runs.run_config import load
from ucoder.runtime.messaging.bus import STREAM, Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.messaging.nats_server import server_program
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import config_pb2, runs_pb2, runs_pb2_grpc
from ucoder_development.fleet import ServiceFleet, free_port
from ucoder_development.seed_benchmark import evaluation_of_few_tasks

RUN = "r"
DISK_MB = 256
"""Size of the file store's disk, small enough to be filled quickly."""
ACK_WAIT = 4.0
"""Seconds until the bus delivers an unacknowledged message again."""


@dataclass(slots=True)
class ChaosTestBed:
    """Everything that a run needs. Faults act on it."""

    folder: Path
    random: Random
    fleet: ServiceFleet
    bus_proxy: FaultyProxy
    store_proxy: FaultyProxy | None
    nats: "NatsServer"
    bus: Bus
    states: RunStates
    artifacts: Artifacts
    dead: DeadLetters
    disk: Path
    corrupted: set[str] = field(default_factory=set)
    """Briefs that a fault made unreadable. Only these may end as dead letters."""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path, seed: int, kind: str, model_seconds: float) -> AsyncIterator["ChaosTestBed"]:
        """Starts everything and yields it when it is ready.

        kind: the store, either `s3`, or `file` on a small disk of its own (a tmpfs).
        """
        async with contextlib.AsyncExitStack() as stack:
            disk = folder / "disk"
            disk.mkdir()
            variables = {"CELLS": "1", "ACK_WAIT_SECONDS": str(ACK_WAIT), "DRAIN_SECONDS": "2"}
            store_proxy = None
            if kind == "s3":
                endpoint = await stack.enter_async_context(s3_server(folder))
                store_proxy = await stack.enter_async_context(FaultyProxy.open(int(endpoint.rsplit(":", 1)[1])))
                variables |= {"STORE_URL": f"s3://{BUCKET}", "STORE_ENDPOINT": f"http://127.0.0.1:{store_proxy.port}"}
            else:
                stack.enter_context(small_disk(disk))
                variables |= {"STORE_URL": f"file://{disk / 'store'}"}
            nats = NatsServer(folder / "nats", free_port())
            await nats.start()
            stack.push_async_callback(nats.stop)
            bus_proxy = await stack.enter_async_context(FaultyProxy.open(nats.port))
            variables |= {"NATS_URL": f"nats://127.0.0.1:{bus_proxy.port}", "CACHE_DIR": str(folder / "cache")}
            fleet = await stack.enter_async_context(ServiceFleet.open(folder, variables, model_seconds=model_seconds))
            plain = {key.lower(): value for key, value in variables.items() if key in ("STORE_URL", "STORE_ENDPOINT")}
            settings = Settings(nats_url=f"nats://127.0.0.1:{nats.port}", cache_dir=folder / "observer", **plain)
            bus = await Bus.connect(settings)
            stack.push_async_callback(bus.close)
            yield cls(
                folder, Random(seed), fleet, bus_proxy, store_proxy, nats, bus, await RunStates.open(bus),
                Artifacts(Store(settings)), DeadLetters(bus), disk,
            )  # fmt: skip

    async def begin(self, config: config_pb2.RunConfig) -> None:
        """Creates the run by a call to RunService."""
        async with grpc.aio.insecure_channel(self.fleet.address("runs")) as channel:
            await runs_pb2_grpc.RunServiceStub(channel).CreateRun(runs_pb2.CreateRunRequest(id=RUN, config=config))

    async def count_made(self) -> int:
        """Returns how many artefacts were announced so far."""
        return int((await self.bus.jetstream.stream_info(STREAM)).state.last_seq)

    async def running(self) -> bool:
        """Returns whether the run has not ended yet."""
        return (await self.states.get(RUN)).state == "running"


class NatsServer:
    """A nats-server with a fixed port and folder, so that it comes back as it was after it was killed."""

    def __init__(self, state: Path, port: int) -> None:
        self.state, self.port = state, port
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts the server and returns when it listens."""
        self.process = await asyncio.create_subprocess_exec(
            str(server_program()), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.state),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kills the server with SIGKILL."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """Stops the server if it runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()


def small_config(briefs: int, seed: int, folder: Path) -> config_pb2.RunConfig:
    """Returns the configuration of a run whose outcome depends on its seed alone.

    It takes a fixed number of samples, has one iteration and evaluates few tasks.
    """
    changes = {
        "seed": seed,
        "loop": {"briefs": briefs, "iterations": 1, "control": False},
        "problems": {"near_duplicate": 1.0},
        "candidates": {"n": 6, "adaptive": False},
        "tests": {"samples": 2, "keep": 8},
        "evaluation": evaluation_of_few_tasks(folder, 40),
        "selection": {"min_confidence": 0.0},
        "training": {"epochs": 1},
    }
    return load(None, "demo", changes)  # fmt: skip


@contextlib.contextmanager
def small_disk(place: Path):  # type: ignore[no-untyped-def]
    """Mounts a file system of DISK_MB megabytes while the block runs."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "none", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)
