"""`ucoder select`: which program of each question is right, and how sure that is."""

import asyncio
import dataclasses
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from typer import Option

from ucoder.cli.shared import options
from ucoder.cli.shared.local_sandbox import execute_questions, isolation_warning, open_sandbox
from ucoder.cli.shared.question_files import Question, line_writer, read_questions
from ucoder.consensus.request_tests import synthesise_tests
from ucoder.core.matrix import Matrix
from ucoder.core.selection import DEFAULT, STRATEGIES, Selection
from ucoder.core.selection import select as select_by
from ucoder.core.selection.reasons import explanation, reason_of
from ucoder.core.selection.strategy import AbstentionReason
from ucoder.core.selection.theorem import check_theorem
from ucoder.errors import Misconfigured, NoInputs
from ucoder.sandbox_runner.sandbox_job import ProgramResult


async def select(
    source: options.QuestionsArgument,
    out: Annotated[Path, Option("-o", "--out", help="File for the selections.")],
    strategy: Annotated[str | None, Option(help="Selection rule. A wrong name lists the known ones.")] = None,
    min_confidence: options.MinConfidenceFlag = 0.0,
    tests: Annotated[
        str, Option(help="`file`: the tests of the file. `none`: ignore them and synthesise inputs.")
    ] = "file",
    theorem_bound: Annotated[
        bool, Option("--theorem-bound", help="Add the bound of Theorem 2.4, with its measured premises.")
    ] = False,
    explain: Annotated[
        bool,
        Option("--explain", help="Add what became of each program that failed most tests, and the commonest cause."),
    ] = False,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
) -> None:
    """Selects the program of each question that is right, and says how sure that is.

    Writes one line for each question: `id`, `selected` (the index of a program, or null), `confidence`, `margin`,
    `abstained`, `clusters`, and `theorem_bound` where it is requested.

    Example: `ucoder select questions.jsonl -o selections.jsonl --min-confidence 0.8`
    """
    strategy = strategy or DEFAULT
    if strategy not in STRATEGIES:
        raise Misconfigured(f"--strategy {strategy}: there are {', '.join(STRATEGIES)}.")
    if tests not in ("file", "none"):
        raise Misconfigured(f"--tests {tests}: expected `file` or `none`.")
    questions = read_questions(source)
    own = {question.id: bool(question.tests) and tests == "file" for question in questions}
    questions = [question if own[question.id] else _with_synthesised_inputs(question) for question in questions]
    async with open_sandbox(isolation, cells) as sandbox:
        with line_writer(out) as write:
            async for question, results, seconds in execute_questions(sandbox, questions):
                matrix = await asyncio.to_thread(_matrix, question, results)
                selection = await asyncio.to_thread(select_by, matrix, strategy, min_confidence=min_confidence)
                bound = {"theorem_bound": _bound_values(matrix, selection)} if theorem_bound else {}
                if explain:
                    bound |= _reasons(question, results, selection)
                kind = "own" if own[question.id] else "synthesised" if question.tests else "none"
                rest = {"tests": kind, "seconds": round(seconds, 3)}
                write(_selection_line(question, selection) | bound | rest | isolation_warning(sandbox.isolation))


def _with_synthesised_inputs(question: Question) -> Question:
    """Returns the question with synthesised inputs as its tests.

    It has none where its text and programs do not show what inputs could be. Then only equal programs agree.
    """
    try:
        entry_point, made = synthesise_tests(question.prompt, question.programs, question.entry_point)
    except NoInputs:
        return dataclasses.replace(question, tests=())
    return dataclasses.replace(question, entry_point=entry_point, tests=tuple(made))


def _reasons(question: Question, results: list[ProgramResult], selection: Selection) -> dict[str, Any]:
    """Returns the reasons as the output file has them, and a sentence where no program can be selected."""
    found = [
        reason_of(program, result.outcomes, result.outputs, question.entry_point)
        for program, result in zip(question.programs, results, strict=True)
    ]
    reasons = {str(number): one.words for number, one in enumerate(found) if one}
    stuck = {"explanation": explanation(found)} if selection.reason == AbstentionReason.NOTHING_ELIGIBLE else {}
    return {"reasons": reasons} | stuck


def _matrix(question: Question, results: list[ProgramResult]) -> Matrix:
    return Matrix.build(
        outcomes=[result.outcomes for result in results],
        outputs=[result.outputs for result in results],
        tests=question.tests,
        log_probs=question.log_probs or None,
        programs=question.programs,
        task=question.prompt,
    )


def _bound_values(matrix: Matrix, selection: Selection) -> dict[str, Any] | None:
    """Returns Theorem 2.4 for the selected cluster as JSON values, or None where no program was selected."""
    if selection.winner is None:
        return None
    bound = check_theorem(matrix, np.array(selection.clusters[0].members))
    numbers = {
        name: round(value, 4) if math.isfinite(value) else None  # JSON has neither infinity nor NaN
        for name, value in dataclasses.asdict(bound).items()
        if isinstance(value, int | float)
    }
    premises = [dataclasses.asdict(premise) for premise in bound.premises]
    return numbers | {"premises": premises, "sentence": bound.describe()}


def _selection_line(question: Question, selection: Selection) -> dict[str, Any]:
    """Returns a selection as the output file has it."""
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
