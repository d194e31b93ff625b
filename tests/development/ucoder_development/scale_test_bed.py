"""What `ucoder bench scale` measures on: a real NATS server, a store, and sandbox-runner processes that come and go.

Each runner, with its cell, is kept on one core by affinity, as a pod is by its CPU limit; otherwise one runner would
already use two cores, its own process on one and its cell on the other, and no number of runners could be compared.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from ucoder.runs import run_config
from ucoder.runtime.child_process import ending_with_parent
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.sandbox_runner.host.machine_load import processor_seconds
from ucoder.v1 import artifacts_pb2 as pb

PROGRAMS, TESTS, PLACES = 32, 10, 2
"""Of one message: programs and tests; and messages that one runner works on at once."""
SOURCE = """
def f(n):
    total = {number}
    for i in range({loops} + n):
        total += i * i % 7
    return total
"""


class Runner:
    """A sandbox-runner process with one cell, on one core."""

    def __init__(self, process: asyncio.subprocess.Process, core: int) -> None:
        self.process, self.core = process, core
        assert process.stdout is not None
        self._log = asyncio.create_task(process.stdout.read())  # or the pipe fills and the runner stands still

    @property
    def seconds(self) -> float:
        """Processor time of the process and its cell so far."""
        return processor_seconds(self.process.pid)

    async def end(self, *, kill: bool = False) -> None:
        """By SIGTERM, which drains, or by SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill() if kill else self.process.terminate()
        await self.process.wait()
        await self._log


class Ground:
    """One NATS server, one store, and runners."""

    def __init__(self, settings: Settings, bus: Bus, isolation: str, loops: int) -> None:
        self.settings, self.bus, self.isolation, self.loops = settings, bus, isolation, loops
        self.artifacts = Artifacts(Store(settings))
        self.cores = sorted(os.sched_getaffinity(0))

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, isolation: str, loops: int) -> AsyncIterator["Ground"]:
        """In a folder that is gone afterwards. `loops`: how long each test computes."""
        with tempfile.TemporaryDirectory(prefix="ucoder-scale-") as name:
            folder = Path(name)
            async with nats_server(folder / "nats") as url:
                settings = Settings(nats_url=url, store_url=f"file://{folder}/store", cache_dir=folder / "cache")
                bus = await Bus.connect(settings)
                try:
                    yield cls(settings, bus, isolation, loops)
                finally:
                    await bus.close()

    def sources(self, run: str, message: int) -> list[str]:
        """The programs of one message; no other run's message has one of them."""
        first = message * PROGRAMS
        return [f"# {run}\n" + SOURCE.format(number=first + i, loops=self.loops) for i in range(PROGRAMS)]

    async def begin(self, run: str, messages: int) -> list[pb.Ref]:
        """A run with candidates in the store, not yet announced."""
        await self.artifacts.save(run, pb.Run(id=run, config=run_config.load(), format=1))
        await (await RunStates.open(self.bus)).begin(run)
        refs = []
        for number in range(messages):
            problem = pb.Problem(brief=pb.Brief(run=run, iteration=1, number=number), entry_point="f")
            tests = pb.Tests(problem=problem, tests=[pb.TestCase(code=f"f({i})", count=1) for i in range(TESTS)])
            candidates = [pb.Candidate(program=one) for one in self.sources(run, number)]
            refs.append(await self.artifacts.save(run, pb.Candidates(tests=tests, candidates=candidates)))
        return refs

    @contextlib.asynccontextmanager
    async def runners(self, count: int) -> AsyncIterator[list[Runner]]:
        """Runners that are ready, in a list that the caller may change."""
        running = list(await asyncio.gather(*(self.runner(number) for number in range(count))))
        try:
            yield running
        finally:
            await asyncio.gather(*(runner.end() for runner in running))

    async def runner(self, number: int) -> Runner:
        """The runner of that number, started, on the core that is its turn."""
        variables = {
            "NATS_URL": self.settings.nats_url, "STORE_URL": self.settings.store_url, "CELLS": "1",
            "CACHE_DIR": str(self.settings.cache_dir), "ISOLATION": self.isolation, "LISTEN": "127.0.0.1:0",
            "SANDBOX_CONCURRENCY": str(PLACES), "LOG_FORMAT": "json", "ACK_WAIT_SECONDS": "5", "DRAIN_SECONDS": "5",
        }  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if not key.startswith("UCODER_")}
        environment |= {f"UCODER_{key}": value for key, value in variables.items()} | {"OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            *ending_with_parent(sys.executable, "-m", "ucoder", "serve", "sandbox-runner"), env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        core = self.cores[number % len(self.cores)]
        os.sched_setaffinity(process.pid, {core})  # and so all that it starts
        assert process.stdout is not None
        said = []
        while b"service.started" not in (line := await process.stdout.readline()):
            said.append(line.decode())
            if not line:
                raise RuntimeError("a sandbox-runner did not start: " + "".join(said[-20:]))
        return Runner(process, core)

    async def ended(self, run: str, messages: int) -> float:
        """Waits until every matrix is announced; the seconds it took."""
        started = time.perf_counter()
        while await self.bus.count("matrix", run) < messages:
            await asyncio.sleep(0.05)  # the bus tells no one, it has to be asked
        return time.perf_counter() - started

    @property
    def bus_seconds(self) -> float:
        """Processor time that the NATS server took so far."""
        own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        names = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in own}
        return sum(processor_seconds(pid) for pid, name in names.items() if name == "nats-server")
