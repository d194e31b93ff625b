"""Measures programs per second in the sandbox and what they cost, compared with runners without isolation, in one run.

Times on a shared machine are noisy; ratios within one run are less so. The file is cut into rounds. In each, every
runner in turn gets the same programs and calls: ours has two warm cells, the others have two processes. All have a
limit of 0.1 s for a test and, where the runner knows that, give up a program after two time-outs.
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

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.host.machine_load import processor_seconds
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import SandboxJob
from ucoder_development import cell_costs, speed_runners
from ucoder_development.speed_runners import LIMITS, WORKERS, SpeedTask

ROUNDS = 4
SLOW_PROGRAMS, SLOWEST_PROGRAMS = 10, 2
"""Programs in a round for runners that start a process for each program, and for one that does for each test: with all
programs they would take a day."""
Measured = Callable[[list[SpeedTask]], float | None]
"""Runs tasks and returns how long it waited for time-outs, if it knows."""
_WAITED = (Outcome.TIMEOUT_CPU, Outcome.TIMEOUT_WALL)


@dataclass(slots=True)
class RunnerTotals:
    """The sums of one runner over the rounds."""

    runner: str
    programs: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    waited_seconds: float = 0.0
    """Seconds of our cells for tests that then timed out."""
    by_round: list[float] = field(default_factory=list)
    """Programs per second."""

    @property
    def per_second(self) -> float:
        return self.programs / self.seconds

    @property
    def waited(self) -> float:
        """Share of the cells' time that went to tests that timed out."""
        return self.waited_seconds / (WORKERS * self.seconds)

    def add(self, tasks: list[SpeedTask], run: Measured) -> None:
        """Runs and counts one round."""
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


def measure_and_print(data: Path, *, tasks: int | None, isolation: str, peers: bool, as_json: bool) -> None:
    """Measures with the first `tasks` questions of a file and prints a table; with `peers`, theirs too."""
    others = speed_runners.peer_runners() if peers else {}
    kinds = ("runsc", "bubblewrap") if isolation == "auto" else (isolation,)
    work = speed_runners.read_tasks(data, tasks)
    console = Console(stderr=True)
    with asyncio.Runner() as loop, Progress(console=console, disable=not console.is_terminal) as progress:
        stack = contextlib.AsyncExitStack()
        quick: dict[str, Measured] = {"bare fork": speed_runners.bare_fork(), **others}
        for kind in kinds:
            sandbox = loop.run(stack.enter_async_context(Sandbox.open(isolation=kind, cells=WORKERS, cache=0)))
            quick[f"ucoder, {kind}"] = _in_sandbox(loop, sandbox)
        slow: dict[str, tuple[Measured, int]] = {
            "python -I a program": (speed_runners.process_per_program(), SLOW_PROGRAMS),
            "python -I a test": (speed_runners.process_per_test(), SLOWEST_PROGRAMS),
        }
        if "runsc" in kinds and (gvisor := speed_runners.gvisor_per_program()):
            slow["runsc do a program"] = gvisor, SLOW_PROGRAMS
        totals = {name: RunnerTotals(name) for name in (*quick, *slow)}
        try:
            bar = progress.add_task("measuring", total=ROUNDS * len(totals))
            for number in range(ROUNDS):
                some = work[number::ROUNDS]
                few = [SpeedTask(one.entry_point, one.programs[:1], one.tests, one.calls) for one in some]
                for name, run in quick.items():
                    totals[name].add(some, run)
                    progress.advance(bar)
                for name, (run, most) in slow.items():
                    totals[name].add(few[:most], run)
                    progress.advance(bar)
        finally:
            loop.run(stack.aclose())
        costs = {kind: loop.run(cell_costs.measure(kind)) for kind in kinds}
    _print(list(totals.values()), costs, as_json)


def _in_sandbox(loop: asyncio.Runner, sandbox: Sandbox) -> Measured:
    """Returns our runner, whose cells stay warm from round to round."""
    return lambda tasks: loop.run(_execute(sandbox, tasks))


async def _execute(sandbox: Sandbox, tasks: list[SpeedTask]) -> float:
    """Runs tasks in one sandbox, a few at a time as a service does. Returns the seconds of tests that timed out."""
    slots = asyncio.Semaphore(WORKERS + 1)
    waited = 0.0

    async def execute(task: SpeedTask) -> None:
        nonlocal waited
        async with slots:
            async for row in sandbox.execute(SandboxJob(task.programs, task.tests, task.entry_point, limits=LIMITS)):
                waited += sum(spent for spent, how in zip(row.seconds, row.outcomes, strict=True) if how in _WAITED)

    await asyncio.gather(*map(execute, tasks))
    return waited


def _print(totals: list[RunnerTotals], costs: dict[str, dict[str, float]], as_json: bool) -> None:
    """Prints a table, or the same as JSON. Ratios are those of programs per second to the bare fork's."""
    bare = next(one.per_second for one in totals if one.runner == "bare fork")
    if as_json:
        lines = [{**asdict(one), "ratio": one.per_second / bare, "waited": one.waited} for one in totals]
        print(json.dumps({"runners": lines, "cells": costs}, indent=2))
        return
    print(
        f"{'runner':24}{'programs':>9}{'seconds':>9}{'per s':>8}{'CPU ms':>8}{'ratio':>7}{'waited':>8}  per s by round"
    )
    for one in totals:
        cpu = 1000 * one.cpu_seconds / one.programs
        waited = f"{one.waited:8.0%}" if one.runner.startswith("ucoder") else f"{'':8}"
        print(
            f"{one.runner:24}{one.programs:9}{one.seconds:9.1f}{one.per_second:8.1f}{cpu:8.2f}"
            f"{one.per_second / bare:7.2f}{waited}  {', '.join(map(str, one.by_round))}"
        )
    for kind, values in costs.items():
        print(f"{kind}: " + ", ".join(f"{name} {value:.1f}" for name, value in values.items()))
