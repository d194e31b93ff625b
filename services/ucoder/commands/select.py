"""`ucoder select`: which program of each question is right, and how sure that is."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

from ucoder.commands.execute import executed, note, settings_of
from ucoder.commands.jsonl import Question, read_questions, writing
from ucoder.consensus.synthesis import synthesise
from ucoder.core.matrix import Matrix
from ucoder.core.selection import DEFAULT, STRATEGIES, Selection, select
from ucoder.runtime.errors import Misconfigured, Reject
from ucoder.sandbox_runner.job import Row
from ucoder.sandbox_runner.sandbox import Sandbox


async def main(
    source: Path,
    out: Path,
    *,
    strategy: str | None,
    min_confidence: float,
    tests: str,
    isolation: str | None,
    cells: int | None,
) -> None:
    """Writes one line a question: id, selected (index or null), confidence, margin, abstained, clusters."""
    strategy = strategy or DEFAULT
    if strategy not in STRATEGIES:
        raise Misconfigured(f"--strategy {strategy}: there are {', '.join(STRATEGIES)}.")
    questions = read_questions(source)
    if tests == "none":
        questions = [without_tests(source, question) for question in questions]
    elif tests != "file":
        raise Misconfigured(f"--tests {tests}: expected `file` or `none`.")
    if bare := [question.id for question in questions if not question.tests]:
        raise Misconfigured(f"{source}: {bare[0]} has no tests; give inputs such as `f(1)`, or --tests none.")
    settings = settings_of(isolation, cells)
    async with Sandbox.open(isolation=settings.isolation, cells=settings.cells) as sandbox:
        with writing(out) as write:
            async for question, rows, seconds in executed(sandbox, questions):
                selection = await asyncio.to_thread(chosen, question, rows, strategy, min_confidence)
                write(line(question, selection) | {"seconds": round(seconds, 3)} | note(sandbox.isolation))


def without_tests(source: Path, question: Question) -> Question:
    """The question with tests of our own making instead of its own; Misconfigured naming what is missing for that."""
    try:
        entry_point, made = synthesise(question.prompt, question.programs, question.entry_point)
    except Reject as error:
        raise Misconfigured(f"{source}: {question.id}: {error}") from None
    return dataclasses.replace(question, entry_point=entry_point, tests=tuple(made))


def chosen(question: Question, rows: list[Row], strategy: str, min_confidence: float) -> Selection:
    """The selection for one executed question."""
    matrix = Matrix.build(
        outcomes=[row.outcomes for row in rows],
        outputs=[row.outputs for row in rows],
        tests=question.tests,
        log_probs=question.log_probs or None,
        programs=question.programs,
    )
    return select(matrix, strategy, min_confidence=min_confidence)


def line(question: Question, selection: Selection) -> dict[str, Any]:
    """A selection as it is written."""
    return {
        "id": question.id,
        "selected": selection.winner,
        "confidence": round(selection.confidence, 4),
        "margin": round(selection.margin, 4),
        "abstained": selection.abstained,
        "reason": selection.reason,
        "clusters": [
            {"members": [int(m) for m in c.members], "share": round(c.share, 4), "passed": int(c.passed)}
            for c in selection.clusters
        ],
    }
