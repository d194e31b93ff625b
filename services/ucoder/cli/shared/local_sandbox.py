"""Opens the sandbox of this process as a command's flags say, and runs the questions of a file in it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ucoder.cli.shared.progress_bar import progress_bar
from ucoder.cli.shared.question_files import Question
from ucoder.runtime.settings import Settings, load
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, ProgramResult, SandboxJob

QUESTIONS_AT_ONCE = 4
"""Several run side by side, so that no cell is idle while the last programs of a question run."""
WARNING = "executed without isolation: these programs could do anything this user can"


def settings_with_flags(isolation: str | None, cells: int | None, packages: Path | None = None) -> Settings:
    """Returns the settings of the environment, overridden by the flags that were given."""
    flags: dict[str, object] = {"isolation": isolation, "cells": cells, "sandbox_packages": packages}
    return load(None, **{name: value for name, value in flags.items() if value is not None})


def open_sandbox(
    isolation: str | None, cells: int | None = None, packages: Path | None = None
) -> AbstractAsyncContextManager[Sandbox]:
    """Opens a sandbox while a block runs. Arguments are flags: None takes the setting of the environment."""
    settings = settings_with_flags(isolation, cells, packages)
    return Sandbox.open(isolation=settings.isolation, cells=settings.cells, packages=settings.sandbox_packages)


async def execute_questions(
    sandbox: Sandbox, questions: Sequence[Question], *, compat: bool = False, limits: Limits | None = None
) -> AsyncIterator[tuple[Question, list[ProgramResult], float]]:
    """Runs each question's programs on its tests, behind a progress bar.

    Yields, in the order of the questions, the question, its results in the order of its programs, and the seconds from
    its start to its end.
    """

    async def execute_question(question: Question) -> tuple[Question, list[ProgramResult], float]:
        async with slots:
            started = time.perf_counter()
            job = SandboxJob(
                programs=question.programs,
                tests=question.tests,
                entry_point=question.entry_point,
                language=question.language,
                limits=limits or Limits(),
                mode="compat" if compat else "outside",
            )
            results = []
            async for result in sandbox.execute(job):
                results.append(result)
                advance()
            return question, sorted(results, key=lambda result: result.program), time.perf_counter() - started

    slots = asyncio.Semaphore(QUESTIONS_AT_ONCE)
    with progress_bar("executing", sum(len(question.programs) for question in questions), "programs") as advance:
        tasks = [asyncio.create_task(execute_question(question)) for question in questions]
        try:
            for task in tasks:
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def isolation_warning(isolation: str) -> dict[str, str]:
    """Returns the key that every line of a result must have when nothing isolated the programs; else none."""
    return {"warning": WARNING} if isolation == "none" else {}
