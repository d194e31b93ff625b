"""`ucoder execute`: every program of a file on its tests, in the sandbox."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from ucoder.cli.shared.progress_bar import ProgressBar
from ucoder.cli.shared.question_files import Question, read_questions, writing
from ucoder.core.outcomes import Outcome
from ucoder.runtime.settings import Settings, load
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult, SandboxJob

AT_ONCE = 4
NOTE = "executed without isolation: these programs could do anything this user can"


async def main(
    source: Path, out: Path, *, isolation: str | None, cells: int | None, compat: bool, packages: Path | None
) -> None:
    """Writes one line a question: id, matrix (a row per candidate), outputs, seconds."""
    questions = read_questions(source)
    settings = settings_of(isolation, cells, packages)
    async with Sandbox.open(
        isolation=settings.isolation, cells=settings.cells, packages=settings.sandbox_packages
    ) as sandbox:
        with writing(out) as write:
            async for question, rows, seconds in executed(sandbox, questions, compat=compat):
                write(
                    {
                        "id": question.id,
                        "matrix": [[str(outcome) for outcome in row.outcomes] for row in rows],
                        "outputs": [list(row.outputs) for row in rows],
                        "seconds": round(seconds, 3),
                        **note(sandbox.isolation),
                    }
                )


async def executed(
    sandbox: Sandbox, questions: Sequence[Question], *, compat: bool = False, limits: Limits | None = None
) -> AsyncIterator[tuple[Question, list[ProgramResult], float]]:
    """Each question with its rows in the order of its programs and the seconds from its begin to its end, behind a
    progress bar.

    A few run side by side, so that no cell waits for the last programs of a question.
    """

    async def one(question: Question) -> tuple[Question, list[ProgramResult], float]:
        async with gate:
            started = time.perf_counter()
            job = SandboxJob(
                programs=question.programs,
                tests=question.tests,
                entry_point=question.entry_point,
                language=question.language,
                limits=limits or Limits(),
                mode="compat" if compat else "outside",
            )
            rows = []
            async for row in sandbox.execute(job):
                rows.append(row)
                bar.advance()
            return question, sorted(rows, key=lambda row: row.program), time.perf_counter() - started

    gate = asyncio.Semaphore(AT_ONCE)
    with ProgressBar("executing", sum(len(question.programs) for question in questions), "programs") as bar:
        waiting = [asyncio.create_task(one(question)) for question in questions]
        try:
            for task in waiting:
                yield await task
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


def settings_of(isolation: str | None, cells: int | None, packages: Path | None = None) -> Settings:
    """Settings from the environment, with the flags over them."""
    flags: dict[str, object] = {"isolation": isolation, "cells": cells, "sandbox_packages": packages}
    return load(None, **{name: value for name, value in flags.items() if value is not None})


def note(isolation: str) -> dict[str, str]:
    """What every line must say when nothing held the programs."""
    return {"warning": NOTE} if isolation == "none" else {}


def passed(row: ProgramResult) -> bool:
    """Whether a program passed everything."""
    return all(outcome is Outcome.PASSED for outcome in row.outcomes)
