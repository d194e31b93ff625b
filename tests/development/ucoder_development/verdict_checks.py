"""`ucoder bench verdicts`: whether verdicts are true, what changes any of them, and what a long run leaves.

Truth: the file's own `check` is the only test of each program, and must say what `correct` says. Sharing: every program
on every test, once sharing forks and once each in a fork of its own; outcomes and outputs must be equal. Load: the same
twice, the second time while another job keeps every core busy. Soak: so many distinct programs through one sandbox;
afterwards there may be no process and no file more than before, and no growth of memory on the way.
"""

import itertools
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ucoder.cli.shared.local_sandbox import execute_questions
from ucoder.cli.shared.question_files import Question, read_questions
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder.runtime.dataset_files import read_json_lines
from ucoder.sandbox_runner.host.machine_load import process_tree, resident_mb
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult

CHECK = Limits(cpu_seconds=5.0, wall_seconds=20.0, give_up_after_timeouts=1)
"""A check holds all of a task's assertions; the fast programs among them need seconds."""
QUICK = Limits(cpu_seconds=0.5, wall_seconds=5.0)
SHORT = Limits(cpu_seconds=0.1, wall_seconds=2.0, give_up_after_timeouts=1)
"""For the soak, whose verdicts nobody reads."""
LOOKS = 20
"""How often memory is looked at in a soak."""


@dataclass(frozen=True, slots=True)
class Record:
    """A question, its real tests as one, and which of its programs pass them."""

    question: Question
    check: str
    correct: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """Programs judged by their task's check, and those on which the sandbox and the file disagree."""

    programs: int
    seconds: float
    disagree: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Programs on all tests in two ways, and those whose rows differ."""

    ways: tuple[str, str]
    programs: int
    cells_of_the_matrix: int
    seconds: tuple[float, float]
    differ: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Soak:
    """Memory of this process and of its cells in MB as programs passed, and what was there before and after."""

    programs: int
    seconds: float
    memory_mb: tuple[tuple[int, float, float], ...]
    """(programs so far, this process, a cell on average)."""
    processes: tuple[int, int]
    descriptors: tuple[int, int]
    folder_left: bool
    """Whether anything of the cells' files is still there."""
    outcomes: dict[str, int]


async def truth(records: list[Record], isolation: str, cells: int | None) -> Truth:
    """Every program on its check."""
    started, count, disagree = time.perf_counter(), 0, []
    async with Sandbox.open(isolation=isolation, cells=cells, cache=0) as sandbox:
        checked = [replace(one.question, tests=(Test(one.check),)) for one in records]
        correct = {one.question.id: one.correct for one in records}
        async for question, rows, _ in execute_questions(sandbox, checked, limits=CHECK):
            count += len(rows)
            for row, right in zip(rows, correct[question.id], strict=True):
                if (row.outcomes[0] is Outcome.PASSED) is not right:
                    disagree.append(f"{question.id}[{row.program}]: {row.outcomes[0]}, correct is {right}")
    return Truth(count, time.perf_counter() - started, tuple(disagree))


async def sharing(records: list[Record], isolation: str, cells: int | None) -> Comparison:
    """Every program on every test, sharing forks and each in its own."""
    shared = await _matrices(records, isolation, cells, share_forks=True)
    alone = await _matrices(records, isolation, cells, share_forks=False)
    return _compared(("shared", "alone"), shared, alone)


async def load(records: list[Record], isolation: str, cells: int | None) -> Comparison:
    """Every program on every test, with the machine to itself and beside a job that takes all it can get."""
    idle = await _matrices(records, isolation, cells)
    with _busy_cores():
        busy = await _matrices(records, isolation, cells)
    return _compared(("idle", "loaded"), idle, busy)


async def soak(records: list[Record], programs: int, isolation: str, cells: int | None) -> Soak:
    """`programs` distinct programs, each on three tests of its task; the file's are taken again and again."""
    before, started = _left(), time.perf_counter()
    memory: list[tuple[int, float, float]] = []
    outcomes: Counter[str] = Counter()
    async with Sandbox.open(isolation=isolation, cells=cells) as sandbox:
        done, looked, folder = 0, 0, sandbox.pool.folder
        for turn in itertools.count():
            if done >= programs:
                break
            again = [_renamed(one.question, turn) for one in records]
            async for _, rows, _ in execute_questions(sandbox, again, limits=SHORT):
                done += len(rows)
                outcomes.update(str(outcome) for row in rows for outcome in row.outcomes)
                if done // (programs // LOOKS) > looked:
                    looked = done // (programs // LOOKS)
                    memory.append((done, round(resident_mb(os.getpid()), 1), round(sandbox.pool.memory_mb(), 1)))
                if done >= programs:
                    break
    after = _left()
    return Soak(
        done, time.perf_counter() - started, tuple(memory), (before[0], after[0]), (before[1], after[1]),
        folder.exists(), dict(outcomes),
    )  # fmt: skip


_Matrices = tuple[float, dict[str, list[ProgramResult]]]
"""Seconds that they took, and rows by question."""


async def _matrices(records: list[Record], isolation: str, cells: int | None, *, share_forks: bool = True) -> _Matrices:
    started = time.perf_counter()
    async with Sandbox.open(isolation=isolation, cells=cells, cache=0, share_forks=share_forks) as sandbox:
        questions = [one.question for one in records]
        found = {question.id: rows async for question, rows, _ in execute_questions(sandbox, questions, limits=QUICK)}
    return time.perf_counter() - started, found


def _compared(ways: tuple[str, str], first: _Matrices, second: _Matrices) -> Comparison:
    differ = []
    for name, rows in first[1].items():
        for one, other in zip(rows, second[1][name], strict=True):
            if (one.outcomes, one.outputs) != (other.outcomes, other.outputs):
                at = [n for n in range(len(one.outcomes)) if _cell(one, n) != _cell(other, n)]
                said = f"{_cell(one, at[0])} {ways[0]}, {_cell(other, at[0])} {ways[1]}"
                differ.append(f"{name}[{one.program}] {len(at)} tests, the first {at[0]}: {said}")
    rows_ = [row for rows in first[1].values() for row in rows]
    size = sum(len(row.outcomes) for row in rows_)
    return Comparison(ways, len(rows_), size, (first[0], second[0]), tuple(differ))


@contextmanager
def _busy_cores() -> Iterator[None]:
    """Another job meanwhile, a process a core."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def _cell(row: ProgramResult, number: int) -> tuple[str, str | None]:
    return str(row.outcomes[number]), row.outputs[number]


def _renamed(question: Question, turn: int) -> Question:
    """The same on its first tests, with programs that are other texts."""
    programs = tuple(f"{program}\n# {turn}" for program in question.programs)
    return replace(question, programs=programs, tests=question.tests[:3])


def _left() -> tuple[int, int]:
    """Processes below this one, and its open descriptors."""
    return len(process_tree(os.getpid())) - 1, len(os.listdir("/proc/self/fd"))


def read(data: Path, tasks: int | None) -> list[Record]:
    """Records of a file in the form of the dev file. Misconfigured: a line is none, or lacks `check` or `correct`."""
    records = []
    for question, (number, value) in zip(read_questions(data), read_json_lines(data), strict=True):
        if "check" not in value or len(value.get("correct", ())) != len(question.programs):
            raise Misconfigured(f"{data}:{number}: needs `check`, and `correct` with one truth per candidate.")
        records.append(Record(question, value["check"], tuple(map(bool, value["correct"]))))
    return records[:tasks]


async def run_and_print(
    data: Path, *, tasks: int | None, parts: list[str], programs: int, isolation: str, cells: int | None, as_json: bool
) -> None:
    """Prints what each part found; `as_json`: as one object."""
    records = read(data, tasks)
    found: dict[str, Any] = {}
    if "truth" in parts:
        found["truth"] = await truth(records, isolation, cells)
    if "sharing" in parts:
        found["sharing"] = await sharing(records, isolation, cells)
    if "load" in parts:
        found["load"] = await load(records, isolation, cells)
    if "soak" in parts:
        found["soak"] = await soak(records, programs, isolation, cells)
    if as_json:
        print(json.dumps({name: asdict(part) for name, part in found.items()}, indent=2))
        return
    for name, part in found.items():
        print(f"{name} ({isolation}):")
        for field, value in asdict(part).items():
            lines = value if isinstance(value, list | tuple) and value and not isinstance(value[0], int | float) else []
            print(f"  {field}: {value if not lines else len(lines)}")
            for line in lines[:40]:
                print(f"    {line}")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
