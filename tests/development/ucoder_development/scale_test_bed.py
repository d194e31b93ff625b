"""The test bed of `ucoder bench scale`: a real NATS server, a store, and sandbox-runner processes.

Affinity keeps each runner and its cell on one core, as the CPU limit does in a pod. Otherwise one runner would use two
cores, one for its own process and one for its cell, and numbers of runners could not be compared.
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
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.messaging.run_states import RunStates
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.sandbox_runner.host.machine_load import processor_seconds
from ucoder.v1 import artifacts_pb2 as pb

PROGRAMS, TESTS, CONCURRENCY = 32, 10, 2
"""Programs and tests of one message, and messages that one runner works on at once."""
SOURCE = """
def f(n):
    total = {number}
    for i in range({loops} + n):
        total += i * i % 7
    return total
"""


class RunnerProcess:
    """A sandbox-runner process with one cell, on one core."""

    def __init__(self, process: asyncio.subprocess.Process, core: int) -> None:
        self.process, self.core = process, core
        assert process.stdout is not None
        self._log = asyncio.create_task(process.stdout.read())  # a full pipe would stop the runner

    @property
    def seconds(self) -> float:
        """Processor seconds of the process and its cell so far."""
        return processor_seconds(self.process.pid)

    async def end(self, *, kill: bool = False) -> None:
        """Ends the process by SIGTERM, after which it finishes its messages, or by SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill() if kill else self.process.terminate()
        await self.process.wait()
        await self._log


class ScaleTestBed:
    """A NATS server, a store, and runners."""

    def __init__(self, settings: Settings, bus: Bus, counts: RunningCounts, isolation: str, loops: int) -> None:
        self.counts = counts
        self.settings, self.bus, self.isolation, self.loops = settings, bus, isolation, loops
        self.artifacts = Artifacts(Store(settings))
        self.cores = sorted(os.sched_getaffinity(0))

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, isolation: str, loops: int) -> AsyncIterator["ScaleTestBed"]:
        """Yields a test bed in a temporary folder. `loops`: how long each test computes."""
        with tempfile.TemporaryDirectory(prefix="ucoder-scale-") as name:
            folder = Path(name)
            async with nats_server(folder / "nats") as url:
                settings = Settings(nats_url=url, store_url=f"file://{folder}/store", cache_dir=folder / "cache")
                bus = await Bus.connect(settings)
                try:
                    yield cls(settings, bus, await RunningCounts.open(bus), isolation, loops)
                finally:
                    await bus.close()

    def sources(self, run: str, message: int) -> list[str]:
        """Returns the programs of one message. No other run has one of them."""
        first = message * PROGRAMS
        return [f"# {run}\n" + SOURCE.format(number=first + i, loops=self.loops) for i in range(PROGRAMS)]

    async def begin(self, run: str, messages: int) -> list[pb.Ref]:
        """Stores a run with candidates and returns their Refs, which are not published yet."""
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
    async def runners(self, count: int) -> AsyncIterator[list[RunnerProcess]]:
        """Yields a list of runners that are ready; the caller may change it."""
        running = list(await asyncio.gather(*(self.runner(number) for number in range(count))))
        try:
            yield running
        finally:
            await asyncio.gather(*(runner.end() for runner in running))

    async def runner(self, number: int) -> RunnerProcess:
        """Starts the runner of that number on its core and returns it when it is ready."""
        variables = {
            "NATS_URL": self.settings.nats_url, "STORE_URL": self.settings.store_url, "CELLS": "1",
            "CACHE_DIR": str(self.settings.cache_dir), "ISOLATION": self.isolation, "LISTEN": "127.0.0.1:0",
            "SANDBOX_CONCURRENCY": str(CONCURRENCY), "LOG_FORMAT": "json", "ACK_WAIT_SECONDS": "5",
            "DRAIN_SECONDS": "5",
        }  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if not key.startswith("UCODER_")}
        environment |= {f"UCODER_{key}": value for key, value in variables.items()} | {"OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            *ending_with_parent(sys.executable, "-m", "ucoder", "serve", "sandbox-runner"), env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        core = self.cores[number % len(self.cores)]
        os.sched_setaffinity(process.pid, {core})  # inherited by its child processes
        assert process.stdout is not None
        lines = []
        while b"service.started" not in (line := await process.stdout.readline()):
            lines.append(line.decode())
            if not line:
                raise RuntimeError("a sandbox-runner did not start: " + "".join(lines[-20:]))
        return RunnerProcess(process, core)

    async def ended(self, run: str, messages: int) -> float:
        """Waits until every matrix is published. Returns the seconds it took."""
        started = time.perf_counter()
        while (await self.counts.sums(run, 1, "matrix"))[MADE] < messages:
            await asyncio.sleep(0.05)  # the bus sends no notice of a count
        return time.perf_counter() - started

    @property
    def bus_seconds(self) -> float:
        """Processor seconds of the NATS server so far."""
        own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        names = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in own}
        return sum(processor_seconds(pid) for pid, name in names.items() if name == "nats-server")
