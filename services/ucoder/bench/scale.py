"""`ucoder bench scale`: sandbox-runner processes on a real NATS server: speed by replicas, a stepped load with the
autoscaler's formula replayed on it, runners killed at random, and what bus and store could bear beyond this machine.
"""

import asyncio
import contextlib
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ucoder.bench.autoscaler import replay
from ucoder.core.outcomes import Outcome
from ucoder.runs import config
from ucoder.runtime.artifacts import Artifacts
from ucoder.runtime.bus import STREAM, Bus
from ucoder.runtime.dead_letters import DeadLetters
from ucoder.runtime.nats_server import nats_server
from ucoder.runtime.run_states import RunStates
from ucoder.runtime.settings import Settings
from ucoder.runtime.store import Store
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
INFRA = pb.Outcome.Value(f"OUTCOME_{Outcome.INFRA_ERROR.upper()}")


@dataclass(frozen=True, slots=True)
class Speed:
    """`efficiency` is speed over that of one replica, per replica that has a core of its own."""

    replicas: int
    programs_per_second: float
    efficiency: float


class Ground:
    """One NATS server, one store, and runners that come and go."""

    def __init__(self, settings: Settings, bus: Bus, isolation: str, loops: int) -> None:
        self.settings, self.bus, self.isolation, self.loops = settings, bus, isolation, loops
        self.artifacts = Artifacts(Store(settings))

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, isolation: str, loops: int) -> AsyncIterator["Ground"]:
        """In a folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="ucoder-scale-") as name:
            folder = Path(name)
            async with nats_server(folder / "nats") as url:
                settings = Settings(nats_url=url, store_url=f"file://{folder}/store", cache_dir=folder / "cache")
                bus = await Bus.connect(settings)
                try:
                    yield cls(settings, bus, isolation, loops)
                finally:
                    await bus.close()

    async def begin(self, run: str, messages: int) -> list[pb.Ref]:
        """A run with candidates in the store that no other run shares a program with."""
        await self.artifacts.save(run, pb.Run(id=run, config=config.load(), format=1))
        states = await RunStates.open(self.bus)
        await states.begin(run)
        refs = []
        for number in range(messages):
            brief = pb.Brief(run=run, iteration=1, number=number)
            problem = pb.Problem(brief=brief, entry_point="f")
            tests = pb.Tests(problem=problem, tests=[pb.TestCase(code=f"f({i})", count=1) for i in range(TESTS)])
            sources = [
                f"# {run}\n" + SOURCE.format(number=number * PROGRAMS + i, loops=self.loops) for i in range(PROGRAMS)
            ]
            made = pb.Candidates(tests=tests, candidates=[pb.Candidate(program=one) for one in sources])
            refs.append(await self.artifacts.save(run, made))
        return refs

    @contextlib.asynccontextmanager
    async def runners(self, count: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
        """Runner processes that are ready, in a list that the caller may change."""
        running = list(await asyncio.gather(*(self.runner() for _ in range(count))))
        try:
            yield running
        finally:
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
            await asyncio.gather(*(process.wait() for process in running))

    async def runner(self) -> asyncio.subprocess.Process:
        """One sandbox-runner with one cell, started."""
        variables = {
            "NATS_URL": self.settings.nats_url, "STORE_URL": self.settings.store_url, "CELLS": "1",
            "CACHE_DIR": str(self.settings.cache_dir), "ISOLATION": self.isolation, "LISTEN": "127.0.0.1:0",
            "SANDBOX_CONCURRENCY": str(PLACES), "LOG_FORMAT": "json", "ACK_WAIT_SECONDS": "5", "DRAIN_SECONDS": "5",
        }  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if not key.startswith("UCODER_")}
        environment |= {f"UCODER_{key}": value for key, value in variables.items()} | {"OMP_NUM_THREADS": "1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ucoder", "serve", "sandbox-runner", env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        said = []
        while b"service.started" not in (line := await process.stdout.readline()):
            said.append(line.decode())
            if not line:
                raise RuntimeError("a sandbox-runner did not start: " + "".join(said[-20:]))
        process.drained = asyncio.create_task(process.stdout.read())  # type: ignore[attr-defined]
        return process

    async def ended(self, run: str, messages: int) -> float:
        """Waits until every matrix is announced; the seconds it took."""
        started = time.perf_counter()
        while await self.bus.count("matrix", run) < messages:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the bus tells no one, it has to be asked
        return time.perf_counter() - started


async def speeds(ground: Ground, replicas: list[int], messages: int) -> list[Speed]:
    """Programs a second by number of runners, all messages there from the start; one warm-up message each."""
    found: list[Speed] = []
    cores = len(os.sched_getaffinity(0))
    for count in replicas:
        async with ground.runners(count):
            warm = await ground.begin(f"warm-{count}", 2 * count)
            await asyncio.gather(*map(ground.bus.publish, warm))
            await ground.ended(f"warm-{count}", len(warm))
            refs = await ground.begin(f"speed-{count}", messages)
            await asyncio.gather(*map(ground.bus.publish, refs))
            speed = messages * PROGRAMS / await ground.ended(f"speed-{count}", messages)
        single = found[0].programs_per_second * min(count, cores) / found[0].replicas if found else speed
        found.append(Speed(count, speed, speed / single))
    return found


async def stepped(ground: Ground, per_second: float, seconds: int) -> tuple[list[int], list[int]]:
    """Arrivals and lag by second, under a load of half, twice, then half of what the two runners can do."""
    arrivals = [round(per_second * (2 if seconds // 3 <= at < 2 * seconds // 3 else 0.5)) for at in range(seconds)]
    refs = iter(await ground.begin("stepped", sum(arrivals)))
    lags = []
    async with ground.runners(2):
        async with asyncio.TaskGroup() as group:
            for count in arrivals:
                for _ in range(count):
                    group.create_task(ground.bus.publish(next(refs)))
                info = await ground.bus.jetstream.consumer_info(STREAM, "candidates_to_matrix")
                lags.append(int(info.num_pending or 0) + int(info.num_ack_pending or 0))
                await asyncio.sleep(1)
        await ground.ended("stepped", sum(arrivals))
    return arrivals, lags


async def killed(ground: Ground, messages: int, every: float, seed: int) -> dict[str, int]:
    """Two runners, one at a time shot at random and replaced: what was lost, repeated, or wrongly blamed."""
    chance, kills = random.Random(seed), 0
    refs = await ground.begin("killed", messages)
    async with ground.runners(2) as running:
        await asyncio.gather(*map(ground.bus.publish, refs))
        waiting = asyncio.create_task(ground.ended("killed", messages))
        while not waiting.done():
            await asyncio.wait([waiting], timeout=every * chance.uniform(0.5, 1.5))
            if not waiting.done():
                victim = chance.randrange(2)
                running[victim].send_signal(signal.SIGKILL)
                await running[victim].wait()
                running[victim] = await ground.runner()
                kills += 1
    rows = [
        row for ref in refs for row in (await ground.artifacts.get(pb.Matrix, "killed", ref.name)).rows
    ]  # a matrix that is missing or torn raises
    subjects = await ground.bus.count("matrix", "killed")
    return {
        "kills": kills,
        "messages": messages,
        "lost": messages * PROGRAMS - len(rows),
        "announced_twice": subjects - messages,
        "infra_errors": sum(INFRA in row.outcomes for row in rows),
        "dead_letters": len(await DeadLetters(ground.bus).all()),
    }


async def limits(ground: Ground, count: int) -> dict[str, float]:
    """What one client gets of bus and store in a second: announcing, taking and acknowledging, writing a matrix."""
    refs = [pb.Ref(kind="brief", run="limits", name=f"001-{number:06d}", sha256="0" * 64) for number in range(count)]
    started = time.perf_counter()
    for at in range(0, count, 256):
        await asyncio.gather(*map(ground.bus.publish, refs[at : at + 256]))
    announced = time.perf_counter()
    taken = await ground.bus.jetstream.pull_subscribe_bind("brief_to_problem", STREAM)
    left = count
    while left:
        batch = await taken.fetch(min(256, left))
        await asyncio.gather(*(message.ack() for message in batch))
        left -= len(batch)
    acknowledged = time.perf_counter()
    data, puts = os.urandom(100_000), max(16, count // 20)
    await asyncio.gather(*(ground.artifacts.store.create(f"limits/{number}", data) for number in range(puts)))
    written = time.perf_counter()
    return {
        "announced": count / (announced - started),
        "taken_and_acknowledged": count / (acknowledged - announced),
        "written_100_kb": puts / (written - acknowledged),
    }


def beyond(speed: float, able: dict[str, float], wanted: float = 100_000, candidates: int = 128) -> dict[str, float]:
    """On paper: what `wanted` programs a second ask for, as units of what was measured here."""
    briefs = wanted / candidates
    return {
        "programs_per_second": wanted,
        "cells": math.ceil(wanted / speed),
        "messages_per_second": 5 * briefs,
        "bus_announcing_clients": 5 * briefs / able["announced"],
        "consumer_share_of_one_client": briefs / able["taken_and_acknowledged"],
        "store_writers": 5 * briefs / able["written_100_kb"],
    }


async def main(
    replicas: tuple[int, ...] = (1, 2, 4, 8), messages: int = 60, seconds: int = 30, isolation: str = "auto",
    loops: int = 20_000, seed: int = 1, as_json: bool = False,
) -> None:  # fmt: skip
    """Measures and prints. `loops`: how long each test computes; with none, bus and forks are what is measured."""
    async with Ground.open(isolation, loops) as ground:
        found = await speeds(ground, list(replicas), messages)
        able = await limits(ground, 4000)
        pair = next((one for one in found if one.replicas == 2), found[-1]).programs_per_second / PROGRAMS
        arrivals, lags = await stepped(ground, pair, seconds)
        scaled = replay(arrivals, pair / 2, 2 * PLACES, start=10, most=8)
        harm = await killed(ground, messages, every=4, seed=seed)
    report: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)), "speeds": [asdict(one) for one in found], "arrivals": arrivals,
        "lag": lags, "replay": asdict(scaled), "killed": harm, "limits": able,
        "beyond": beyond(found[0].programs_per_second, able),
    }  # fmt: skip
    if as_json:
        print(json.dumps(report, indent=2))
        return
    console = Console()
    table = Table("replicas", "programs/s", "efficiency", title=f"{report['cores']} cores, {TESTS} tests each")
    for one in found:
        table.add_row(str(one.replicas), f"{one.programs_per_second:.0f}", f"{one.efficiency:.2f}")
    console.print(table)
    for name in ("arrivals", "lag", "replay", "killed", "limits", "beyond"):
        console.print(name, report[name], highlight=False)
