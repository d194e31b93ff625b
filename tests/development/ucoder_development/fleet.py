"""Runs every service as a process of its own on this machine, to load, kill, freeze and restart it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ucoder.errors import Retry
from ucoder.flow import SERVICES
from ucoder.runtime.child_process import ending_with_parent
from ucoder.sandbox_runner.host.machine_load import resident_mb

READY_SECONDS = 120.0
WRITTEN = ("Pss_Anon:", "Pss_Shmem:")
"""The lines of smaps_rollup with the memory that a process wrote itself. It does not change when another process that
runs the same code starts or ends."""
MODEL = "scripted_model"


@dataclass(slots=True)
class FleetProcess:
    """One process, and how to start it again. It listens at `port`."""

    name: str
    command: tuple[str, ...]
    port: int
    process: asyncio.subprocess.Process | None = None


@dataclass(slots=True)
class ServiceFleet:
    """The services and their model server. `variables` are their settings, without the prefix UCODER_."""

    variables: Mapping[str, str]
    folder: Path
    members: dict[str, FleetProcess] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, folder: Path, variables: Mapping[str, str], services: Sequence[str] = SERVICES, model_seconds: float = 0.0
    ) -> AsyncIterator["ServiceFleet"]:
        """Starts all processes, waits until they are ready, and ends them. Each one writes `folder/NAME.log`."""
        ports = {name: free_port() for name in (*services, MODEL)}
        peers = ",".join(f"{name}=127.0.0.1:{ports[name]}" for name in services)
        url = f"http://127.0.0.1:{ports[MODEL]}/v1"
        fleet = cls({"PEERS": peers, "MODEL_URL": url, "LOG_FORMAT": "json", "WEB_LISTEN": "", **variables}, folder)
        script = (sys.executable, "-m", "ucoder_development.scripted_model", "--seconds", str(model_seconds))
        fleet.members[MODEL] = FleetProcess(MODEL, (*script, "--port", str(ports[MODEL])), ports[MODEL])
        for name in services:
            serve = (sys.executable, "-m", "ucoder", "serve", name, "--listen", f"127.0.0.1:{ports[name]}")
            fleet.members[name] = FleetProcess(name, serve, ports[name])
        try:
            for name in fleet.members:
                await fleet.start(name)
            await asyncio.gather(*(fleet.ready(name) for name in services))
            yield fleet
        finally:
            for name in fleet.members:
                fleet.signal(name, signal.SIGCONT)
                fleet.signal(name, signal.SIGTERM)
            await asyncio.gather(*(fleet.wait_or_kill(name) for name in fleet.members))

    def address(self, name: str) -> str:
        """Returns host:port of a process."""
        return f"127.0.0.1:{self.members[name].port}"

    async def start(self, name: str, wrapper: Sequence[str] = ()) -> None:
        """Starts a process that is not running. `wrapper` takes the place of `python -m` before its arguments."""
        member = self.members[name]
        command = (member.command[0], *wrapper, *member.command[3:]) if wrapper else member.command
        environment = {key: value for key, value in os.environ.items() if not key.startswith("UCODER_")}
        environment |= {f"UCODER_{key}": value for key, value in self.variables.items()} | {"OMP_NUM_THREADS": "1"}
        with (self.folder / f"{name}.log").open("ab") as log:
            member.process = await asyncio.create_subprocess_exec(
                *ending_with_parent(*command), env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def ready(self, name: str) -> None:
        """Waits until a service reports that it is serving. Retry when it has ended or takes too long."""
        member, deadline = self.members[name], time.monotonic() + READY_SECONDS
        async with grpc.aio.insecure_channel(self.address(name)) as channel:
            while True:
                if member.process is None or member.process.returncode is not None or time.monotonic() > deadline:
                    raise Retry(f"{name} is not ready: {self.folder / f'{name}.log'} says why.")
                with contextlib.suppress(grpc.aio.AioRpcError):
                    check = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
                    if (await check).status == health_pb2.HealthCheckResponse.SERVING:
                        return
                await asyncio.sleep(0.1)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to a process, if it is running."""
        process = self.members[name].process
        if process is not None and process.returncode is None:
            process.send_signal(number)

    async def wait_or_kill(self, name: str) -> None:
        """Waits until a process has ended, and kills it when that takes too long."""
        process = self.members[name].process
        if process is None:
            return
        try:
            await asyncio.wait_for(process.wait(), 40)
        except TimeoutError:
            process.kill()
            await process.wait()

    def memory_mb(self) -> dict[str, float]:
        """Returns the MB that each process and its descendants wrote; the code that they share is not counted."""
        return {
            name: resident_mb(member.process.pid, WRITTEN)
            for name, member in self.members.items()
            if member.process is not None and member.process.returncode is None
        }


def free_port() -> int:
    """Returns a loopback port that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
