"""`ucoder bench verdicts`: checks that verdicts are true, that nothing changes them, and that a long run leaks nothing.

Truth: the file's own `check` is the only test of each program, and its verdict must equal `correct`. Sharing: every
program on every test, once sharing forks and once each in a fork of its own; outcomes and outputs must be equal. Load:
the same twice, the second time while another job keeps every core busy. Oracle: plain Python gives the same verdicts
(`verdict_oracle`). Soak: many distinct programs through one
sandbox; afterwards there must be no more processes and files than before, and memory must not have grown.
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
from ucoder_development.oracle_benchmarks import SHARED, oracle_groups
from ucoder_development.verdict_oracle import PAGE, OracleReport, compare_with_plain_python, documented_kinds

CHECK = Limits(cpu_seconds=5.0, wall_seconds=20.0, give_up_after_timeouts=1)
"""A check holds all assertions of a task, so that even fast programs need seconds."""
QUICK = Limits(cpu_seconds=0.5, wall_seconds=5.0)
SHORT = Limits(cpu_seconds=0.1, wall_seconds=2.0, give_up_after_timeouts=1)
"""Limits of the soak test, whose verdicts are not used."""
MEMORY_SAMPLES = 20
"""Number of memory samples in a soak test."""


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question, its official tests as one check, and which of its programs pass them."""

    question: Question
    check: str
    correct: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class TruthCheck:
    """The number of programs judged by their task's check, and those on which sandbox and file disagree."""

    programs: int
    seconds: float
    disagree: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerdictComparison:
    """The number of programs that ran on all tests in two ways, and those whose results differ."""

    ways: tuple[str, str]
    programs: int
    cells_of_the_matrix: int
    seconds: tuple[float, float]
    differ: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SoakResult:
    """Memory of this process and of its cells during the test; processes and files before and after it."""

    programs: int
    seconds: float
    memory_mb: tuple[tuple[int, float, float], ...]
    """(programs so far, MB of this process, MB of a cell on average)."""
    processes: tuple[int, int]
    descriptors: tuple[int, int]
    folder_left: bool
    """True when files of the cells are still there."""
    outcomes: dict[str, int]


async def check_truth(records: list[LabelledQuestion], isolation: str, cells: int | None) -> TruthCheck:
    """Runs every program on its check."""
    started, count, disagree = time.perf_counter(), 0, []
    async with Sandbox.open(isolation=isolation, cells=cells, cache=0) as sandbox:
        checked = [replace(one.question, tests=(Test(one.check),)) for one in records]
        correct = {one.question.id: one.correct for one in records}
        async for question, rows, _ in execute_questions(sandbox, checked, limits=CHECK):
            count += len(rows)
            for row, right in zip(rows, correct[question.id], strict=True):
                if (row.outcomes[0] is Outcome.PASSED) is not right:
                    disagree.append(f"{question.id}[{row.program}]: {row.outcomes[0]}, correct is {right}")
    return TruthCheck(count, time.perf_counter() - started, tuple(disagree))


async def check_sharing(records: list[LabelledQuestion], isolation: str, cells: int | None) -> VerdictComparison:
    """Runs every program on every test, once sharing forks and once each in its own."""
    shared = await _matrices(records, isolation, cells, share_forks=True)
    alone = await _matrices(records, isolation, cells, share_forks=False)
    return _compare(("shared", "alone"), shared, alone)


async def check_load(records: list[LabelledQuestion], isolation: str, cells: int | None) -> VerdictComparison:
    """Runs every program on every test, once on an idle machine and once beside a job that takes every core."""
    idle = await _matrices(records, isolation, cells)
    with _busy_cores():
        busy = await _matrices(records, isolation, cells)
    return _compare(("idle", "loaded"), idle, busy)


async def soak_test(records: list[LabelledQuestion], programs: int, isolation: str, cells: int | None) -> SoakResult:
    """Runs `programs` distinct programs, each on three tests of its task. The file is used again and again."""
    before, started = _processes_and_descriptors(), time.perf_counter()
    memory: list[tuple[int, float, float]] = []
    outcomes: Counter[str] = Counter()
    async with Sandbox.open(isolation=isolation, cells=cells) as sandbox:
        done, sampled, folder = 0, 0, sandbox.pool.folder
        for turn in itertools.count():
            if done >= programs:
                break
            again = [_renamed(one.question, turn) for one in records]
            async for _, rows, _ in execute_questions(sandbox, again, limits=SHORT):
                done += len(rows)
                outcomes.update(str(outcome) for row in rows for outcome in row.outcomes)
                if done // (programs // MEMORY_SAMPLES) > sampled:
                    sampled = done // (programs // MEMORY_SAMPLES)
                    memory.append((done, round(resident_mb(os.getpid()), 1), round(sandbox.pool.memory_mb(), 1)))
                if done >= programs:
                    break
    after = _processes_and_descriptors()
    return SoakResult(
        done, time.perf_counter() - started, tuple(memory), (before[0], after[0]), (before[1], after[1]),
        folder.exists(), dict(outcomes),
    )  # fmt: skip


_Matrices = tuple[float, dict[str, list[ProgramResult]]]
"""The seconds that a run took, and its results by question."""


async def _matrices(
    records: list[LabelledQuestion], isolation: str, cells: int | None, *, share_forks: bool = True
) -> _Matrices:
    started = time.perf_counter()
    async with Sandbox.open(isolation=isolation, cells=cells, cache=0, share_forks=share_forks) as sandbox:
        questions = [one.question for one in records]
        found = {question.id: rows async for question, rows, _ in execute_questions(sandbox, questions, limits=QUICK)}
    return time.perf_counter() - started, found


def _compare(ways: tuple[str, str], first: _Matrices, second: _Matrices) -> VerdictComparison:
    differ = []
    for name, rows in first[1].items():
        for one, other in zip(rows, second[1][name], strict=True):
            if (one.outcomes, one.outputs) != (other.outcomes, other.outputs):
                at = [n for n in range(len(one.outcomes)) if _cell(one, n) != _cell(other, n)]
                first_two = f"{_cell(one, at[0])} {ways[0]}, {_cell(other, at[0])} {ways[1]}"
                differ.append(f"{name}[{one.program}] {len(at)} tests, the first {at[0]}: {first_two}")
    rows_ = [row for rows in first[1].values() for row in rows]
    size = sum(len(row.outcomes) for row in rows_)
    return VerdictComparison(ways, len(rows_), size, (first[0], second[0]), tuple(differ))


@contextmanager
def _busy_cores() -> Iterator[None]:
    """Runs another job during the block: a process for each core."""
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
    """Returns the question with its first tests only, and with programs that are other texts."""
    programs = tuple(f"{program}\n# {turn}" for program in question.programs)
    return replace(question, programs=programs, tests=question.tests[:3])


def _processes_and_descriptors() -> tuple[int, int]:
    """Returns how many processes descend from this one, and how many descriptors are open."""
    return len(process_tree(os.getpid())) - 1, len(os.listdir("/proc/self/fd"))


def read_records(data: Path, tasks: int | None) -> list[LabelledQuestion]:
    """Reads questions in the form of the dev file. Misconfigured when a line lacks `check` or `correct`."""
    records = []
    for question, (number, value) in zip(read_questions(data), read_json_lines(data), strict=True):
        if "check" not in value or len(value.get("correct", ())) != len(question.programs):
            raise Misconfigured(f"{data}:{number}: needs `check`, and `correct` with one truth per candidate.")
        records.append(LabelledQuestion(question, value["check"], tuple(map(bool, value["correct"]))))
    return records[:tasks]


async def run_and_print(
    data: Path | None, *, tasks: int | None, parts: list[str], programs: int, isolation: str, cells: int | None,
    as_json: bool, cache: Path,
) -> None:  # fmt: skip
    """Runs the given checks and prints their results, with `as_json` as one object. Misconfigured when a check other
    than the oracle has no file.
    """
    if data is None and parts != ["oracle"]:
        raise Misconfigured("Give a file of questions with `check` and `correct`; only `--part oracle` needs none.")
    records = read_records(data, tasks) if data else []
    found: dict[str, Any] = {}
    if "truth" in parts:
        found["truth"] = await check_truth(records, isolation, cells)
    if "sharing" in parts:
        found["sharing"] = await check_sharing(records, isolation, cells)
    if "load" in parts:
        found["load"] = await check_load(records, isolation, cells)
    if "soak" in parts:
        found["soak"] = await soak_test(records, programs, isolation, cells)
    if "oracle" in parts:
        groups, absent = oracle_groups(SHARED, data, tasks)
        kinds = documented_kinds(PAGE.read_text())
        found["oracle"] = await compare_with_plain_python(groups, cache, isolation, cells, kinds)
        found["oracle"].absent = absent
    if as_json:
        print(json.dumps({name: asdict(part) for name, part in found.items()}, indent=2))
        return
    for name, part in found.items():
        print(f"{name} ({isolation}):")
        if isinstance(part, OracleReport):
            print("\n".join(f"  {line}" for line in part.lines()))
            continue
        for field, value in asdict(part).items():
            lines = value if isinstance(value, list | tuple) and value and not isinstance(value[0], int | float) else []
            print(f"  {field}: {value if not lines else len(lines)}")
            for line in lines[:40]:
                print(f"    {line}")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
