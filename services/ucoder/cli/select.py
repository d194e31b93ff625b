"""`ucoder select`: which program of each question is right, and how sure that is."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

from ucoder.cli.execute import executed, note, settings_of
from ucoder.cli.shared.question_files import Question, read_questions, writing
from ucoder.consensus.input_tests import synthesise
from ucoder.core.matrix import Matrix
from ucoder.core.selection import DEFAULT, STRATEGIES, Selection, select
from ucoder.errors import Misconfigured, Reject
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import ProgramResult


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
    if tests not in ("file", "none"):
        raise Misconfigured(f"--tests {tests}: expected `file` or `none`.")
    questions = read_questions(source)
    own = {question.id: bool(question.tests) and tests == "file" for question in questions}
    questions = [question if own[question.id] else with_inputs(question) for question in questions]
    settings = settings_of(isolation, cells)
    async with Sandbox.open(isolation=settings.isolation, cells=settings.cells) as sandbox:
        with writing(out) as write:
            async for question, rows, seconds in executed(sandbox, questions):
                selection = await asyncio.to_thread(chosen, question, rows, strategy, min_confidence)
                told = {"tests": "own" if own[question.id] else "synthesised" if question.tests else "none"}
                write(line(question, selection) | told | {"seconds": round(seconds, 3)} | note(sandbox.isolation))


def with_inputs(question: Question) -> Question:
    """The question with inputs made for it. Where nothing tells what they could be it has none, and its line says so:
    equal programs are then the only agreement there is.
    """
    try:
        entry_point, made = synthesise(question.prompt, question.programs, question.entry_point)
    except Reject:
        return dataclasses.replace(question, tests=())
    return dataclasses.replace(question, entry_point=entry_point, tests=tuple(made))


def chosen(question: Question, rows: list[ProgramResult], strategy: str, min_confidence: float) -> Selection:
    """The selection for one executed question."""
    matrix = Matrix.build(
        outcomes=[row.outcomes for row in rows],
        outputs=[row.outputs for row in rows],
        tests=question.tests,
        log_probs=question.log_probs or None,
        programs=question.programs,
        task=question.prompt,
    )
    return select(matrix, strategy, min_confidence=min_confidence)


def line(question: Question, selection: Selection) -> dict[str, Any]:
    """A selection as it is written."""
    return {
        "id": question.id,
        "selected": selection.winner,
        "confidence": round(selection.confidence, 4),
        "margin": round(selection.margin, 4),
        "calibrated": selection.calibrated,
        "abstained": selection.abstained,
        "reason": selection.reason,
        "clusters": [
            {"members": [int(m) for m in c.members], "share": round(c.share, 4), "passed": int(c.passed)}
            for c in selection.clusters
        ],
    }
