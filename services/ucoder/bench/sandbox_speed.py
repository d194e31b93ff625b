"""`ucoder bench sandbox`: programs a second and what they cost, beside runners without isolation, in one run.

Timings on a shared machine are noise; ratios within one run are less so. The file is cut into rounds; in each, every
runner in turn gets the same programs and calls: ours with two warm cells, the others with two processes. Limits, for
all: 0.1 s a test, given up after two time-outs where a runner knows that.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from ucoder.bench import cell_costs, runners
from ucoder.bench.runners import LIMITS, WORKERS, Task, load
from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.host.machine_load import processor_seconds
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import SandboxJob

ROUNDS = 4
FEW, FEWER = 10, 2
"""Programs a round for runners that start an interpreter or a sandbox for each, and for one that does for each test;
all of them would take the day."""
Measured = Callable[[list[Task]], float | None]
"""Runs tasks and says how long it waited for time-outs, if it knows."""
_WAITED = (Outcome.TIMEOUT_CPU, Outcome.TIMEOUT_WALL)


@dataclass(slots=True)
class Line:
    """One runner's sums."""

    runner: str
    programs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0
    """Of our cells, for tests that then timed out."""
    by_round: list[float] = field(default_factory=list)
    """Programs per second."""

    @property
    def per_second(self) -> float:
        return self.programs / self.seconds

    @property
    def waited(self) -> float:
        """Share of the cells' time."""
        return self.waited_seconds / (WORKERS * self.seconds)

    def add(self, tasks: list[Task], run: Measured) -> None:
        """One round."""
        count = sum(len(task.programs) for task in tasks)
        if not count:
            return
        before, started = processor_seconds(os.getpid()), time.perf_counter()
        self.waited_seconds += run(tasks) or 0.0
        seconds = time.perf_counter() - started
        self.cpu_seconds += processor_seconds(os.getpid()) - before
        self.programs += count
        self.seconds += seconds
        self.by_round.append(round(count / seconds, 1))


async def ours(sandbox: Sandbox, tasks: list[Task]) -> float:
    """All tasks through one sandbox, a few at a time, as a service would get them; seconds waited for time-outs."""
    gate = asyncio.Semaphore(WORKERS + 1)
    waited = 0.0

    async def one(task: Task) -> None:
        nonlocal waited
        async with gate:
            async for row in sandbox.execute(SandboxJob(task.programs, task.tests, task.entry_point, limits=LIMITS)):
                waited += sum(spent for spent, how in zip(row.seconds, row.outcomes, strict=True) if how in _WAITED)

    await asyncio.gather(*map(one, tasks))
    return waited


def through(loop: asyncio.Runner, sandbox: Sandbox) -> Measured:
    """Our runner, on cells that stay warm from round to round."""
    return lambda tasks: loop.run(ours(sandbox, tasks))


def main(
    data: Path, *, tasks: int | None = None, isolation: str = "auto", peers: bool = True, as_json: bool = False
) -> None:
    """Prints the table. `data`: a file like the dev file; `tasks`: how many of its tasks, all by default."""
    kinds = ("runsc", "bubblewrap") if isolation == "auto" else (isolation,)
    work = load(data, tasks)
    console = Console(stderr=True)
    with asyncio.Runner() as loop, Progress(console=console, disable=not console.is_terminal) as progress:
        stack = contextlib.AsyncExitStack()
        measured: dict[str, Measured] = {"bare fork": runners.bare_fork(), **(runners.peers() if peers else {})}
        for kind in kinds:
            sandbox = loop.run(stack.enter_async_context(Sandbox.open(isolation=kind, cells=WORKERS, cache=0)))
            measured[f"ucoder, {kind}"] = through(loop, sandbox)
        slow: dict[str, Measured] = {
            "python -I a program": runners.one_process_each(),
            "python -I a test": runners.one_process_each_test(),
        }
        if runners.root() and "runsc" in kinds:
            slow["runsc do a program"] = runners.one_sandbox_each()
        lines = {name: Line(name) for name in (*measured, *slow)}
        try:
            bar = progress.add_task("measuring", total=ROUNDS * len(lines))
            for number in range(ROUNDS):
                some = work[number::ROUNDS]
                few = [Task(one.entry_point, one.programs[:1], one.tests, one.calls) for one in some[:FEW]]
                for name, run in (*measured.items(), *slow.items()):
                    lines[name].add(few[:FEWER] if name.endswith("a test") else few if name in slow else some, run)
                    progress.advance(bar)
        finally:
            loop.run(stack.aclose())
        costs = {kind: loop.run(cell_costs.measure(kind)) for kind in kinds}
    report(list(lines.values()), costs, as_json)


def report(lines: list[Line], costs: dict[str, dict[str, float]], as_json: bool) -> None:
    """The table, or the same as JSON. Ratios are to the bare fork, by programs per second."""
    bare = next(line.per_second for line in lines if line.runner == "bare fork")
    if as_json:
        said = [{**asdict(line), "ratio": line.per_second / bare, "waited": line.waited} for line in lines]
        print(json.dumps({"runners": said, "cells": costs}, indent=2))
        return
    print(
        f"{'runner':24}{'programs':>9}{'seconds':>9}{'per s':>8}{'CPU ms':>8}{'ratio':>7}{'waited':>8}  per s by round"
    )
    for line in lines:
        cpu = 1000 * line.cpu_seconds / line.programs
        waited = f"{line.waited:8.0%}" if line.runner.startswith("ucoder") else f"{'':8}"
        print(
            f"{line.runner:24}{line.programs:9}{line.seconds:9.1f}{line.per_second:8.1f}{cpu:8.2f}"
            f"{line.per_second / bare:7.2f}{waited}  {', '.join(map(str, line.by_round))}"
        )
    for kind, found in costs.items():
        print(f"{kind}: " + ", ".join(f"{name} {value:.1f}" for name, value in found.items()))
