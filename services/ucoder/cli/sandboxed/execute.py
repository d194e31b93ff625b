"""`ucoder execute`: runs every program of a file on its tests, in the sandbox."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ucoder.cli.shared import options
from ucoder.cli.shared.local_sandbox import execute_questions, isolation_warning, open_sandbox
from ucoder.cli.shared.question_files import line_writer, read_questions
from ucoder.errors import Misconfigured


async def execute(
    source: options.QuestionsArgument,
    out: Annotated[Path, Option("-o", "--out", help="File for the matrices.")],
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    compat: Annotated[bool, Option(help="Each test is a whole file that runs together with the program.")] = False,
    packages: options.PackagesFlag = None,
) -> None:
    """Runs untrusted programs on tests, in the sandbox.

    Writes one line for each question: `id`, `matrix` (for each candidate, one outcome per test), `outputs`,
    `seconds`, and `notes` for people.

    Example: `ucoder execute questions.jsonl -o matrices.jsonl`
    """
    questions = read_questions(source)
    if untested := next((question.id for question in questions if not question.tests), None):
        raise Misconfigured(f"{source}: question {untested} has no tests to run its programs on.")
    async with open_sandbox(isolation, cells, packages) as sandbox:
        with line_writer(out) as write:
            async for question, results, seconds in execute_questions(sandbox, questions, compat=compat):
                line = {
                    "id": question.id,
                    "matrix": [[str(outcome) for outcome in result.outcomes] for result in results],
                    "outputs": [list(result.outputs) for result in results],
                    "seconds": round(seconds, 3),
                    "notes": [result.note for result in results],
                }
                write(line | isolation_warning(sandbox.isolation))
