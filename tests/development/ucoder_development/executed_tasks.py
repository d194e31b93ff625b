"""Executes the tasks of the dev file in the sandbox, each once, and keeps the results on disk."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from ucoder.consensus.request_tests import synthesise_tests
from ucoder.core.matrix import Floats, Matrix
from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured, NoInputs, Retry
from ucoder.runtime.atomic import atomic_file
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob

LIMITS = Limits(cpu_seconds=0.5)
"""Half a second for a test: the samples need milliseconds, or they never end."""


@dataclass(frozen=True, eq=False)
class ExecutedTask:
    """One task: its matrix, and which of its programs are right, for scoring only."""

    id: str
    matrix: Matrix
    right: Floats


async def execute_tasks(
    source: Path, cache: Path, isolation: str = "auto", cells: int | None = None, *, tests: bool = True
) -> list[ExecutedTask]:
    """Executes all tasks of `source` (JSONL, gzipped or not: id, entry_point, candidates, tests, correct).

    The cache is keyed by programs, tests and limits, so that only changed tasks run again. Without `tests` those of the
    file are ignored and inputs are synthesised, as `ucoder select --tests none` does. Misconfigured when the file is
    missing or a line lacks a field; Retry when the sandbox failed.
    """
    rows = [row if tests else row | {"tests": _synthesised(row)} for row in _read(source)]
    places = [cache / f"{_digest(row)}.json.gz" for row in rows]
    if missing := [(row, place) for row, place in zip(rows, places, strict=True) if not place.exists()]:
        cache.mkdir(parents=True, exist_ok=True)
        async with Sandbox.open(isolation=isolation, cells=cells) as sandbox:
            console = Console(stderr=True)
            for row, place in track(missing, "executing", console=console, disable=not console.is_terminal):
                found = await _run(sandbox, row)
                if any(Outcome.INFRA_ERROR in outcomes for outcomes in found["outcomes"]):
                    raise Retry(f"{row['id']}: the sandbox failed; earlier results are kept, so run this again.")
                await asyncio.to_thread(_keep, place, found)
    return [
        _task(row, json.loads(gzip.decompress(place.read_bytes()))) for row, place in zip(rows, places, strict=True)
    ]


def _read(source: Path) -> Iterator[dict[str, Any]]:
    if not source.exists():
        raise Misconfigured(f"{source} does not exist; give a file of programs, tests and truths.")
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row: dict[str, Any] = json.loads(line)
            if lacking := {"id", "entry_point", "candidates", "tests", "correct"} - row.keys():
                raise Misconfigured(f"{source}:{number} lacks {', '.join(sorted(lacking))}.")
            yield row


def _synthesised(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns inputs made from programs and prompt; none where these do not show what the function takes."""
    programs = [each["code"] for each in row["candidates"]]
    try:
        _, made = synthesise_tests(row.get("prompt", ""), programs, row["entry_point"])
    except NoInputs:
        return []
    return [{"code": test.code, "count": test.count} for test in made]


def _job(row: dict[str, Any]) -> SandboxJob:
    tests = tuple(Test(test["code"], test.get("count", 1)) for test in row["tests"])
    return SandboxJob(tuple(each["code"] for each in row["candidates"]), tests, row["entry_point"], limits=LIMITS)


def _digest(row: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asdict(_job(row)), sort_keys=True).encode()).hexdigest()[:32]


async def _run(sandbox: Sandbox, row: dict[str, Any]) -> dict[str, Any]:
    found: list[Any] = [None] * len(row["candidates"])
    async for each in sandbox.execute(_job(row)):
        found[each.program] = (list(map(str, each.outcomes)), list(each.outputs))
    return {"outcomes": [outcomes for outcomes, _ in found], "outputs": [outputs for _, outputs in found]}


def _keep(place: Path, found: dict[str, Any]) -> None:
    with atomic_file(place) as temporary:
        temporary.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))


def _task(row: dict[str, Any], found: dict[str, Any]) -> ExecutedTask:
    job = _job(row)
    matrix = Matrix.build(found["outcomes"], found["outputs"], job.tests, programs=job.programs)
    return ExecutedTask(row["id"], matrix, np.array(row["correct"], dtype=np.float64))
