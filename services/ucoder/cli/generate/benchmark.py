"""`ucoder generate benchmark`: makes a benchmark in HumanEval's format out of programs that agree."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ucoder.cli.shared import options
from ucoder.errors import Misconfigured

if TYPE_CHECKING:
    from ucoder.cli.generate.problem_lines import Line


async def generate_benchmark(
    candidates: Annotated[
        Path, typer.Argument(metavar="IN.jsonl[.gz]", help="File that `ucoder generate solutions` wrote.")
    ],
    out: options.LinesOutFlag,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out problems whose candidates agree with less confidence.")
    ] = 0.5,
    tests: Annotated[int, typer.Option(min=1, help="Most tests of a task.")] = 20,
    least: Annotated[int, typer.Option(min=1, help="Leave out problems with fewer tests.")] = 5,
    references: Annotated[
        Path | None, typer.Option(help="Also write the reference solutions, as a samples file to check with.")
    ] = None,
    seed: options.SeedFlag = 1,
    isolation: options.IsolationFlag = None,
) -> None:
    """Makes a benchmark in HumanEval's format: programs that agree become references, and their outputs the tests.

    Check it with `ucoder evaluate --benchmark humaneval --data OUT --samples REFERENCES`: its references score 100%.

    Example: `ucoder generate benchmark solutions.jsonl -o benchmark.jsonl --references references.jsonl`
    """
    from ucoder.cli.generate.benchmark_task import make_task
    from ucoder.cli.generate.problem_lines import print_summary, process_all, read_problems, resumable_file
    from ucoder.cli.shared.local_sandbox import open_sandbox
    from ucoder.cli.shared.question_files import write_lines

    lines = read_problems(candidates)
    for line in lines:
        if not line.get("candidates"):
            raise Misconfigured(
                f"{candidates}: {line['id']} has no candidates; `ucoder generate solutions` makes them."
            )
    settings = {
        "candidates": str(candidates), "min_confidence": min_confidence, "tests": tests, "least": least, "seed": seed,
    }  # fmt: skip
    with resumable_file(out, command="benchmark", **settings) as file:
        async with open_sandbox(isolation) as sandbox:

            async def make(line: "Line") -> None:
                file.write({"id": line["id"], **await make_task(sandbox, line, min_confidence, tests, least, seed)})

            await process_all("agreeing", [line for line in lines if line["id"] not in file.done], make)
        made = [file.done[line["id"]] for line in lines]
        tasks = [line["task"] for line in made if "task" in line]
        counts = Counter(line["left_out"] for line in made if "left_out" in line)
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
        if not tasks:
            raise Misconfigured(f"no problem of {candidates} became a task: {reasons}.")
        file.finish(tasks)
        if references:
            with write_lines(references) as write:
                for task in tasks:
                    write({"task_id": task["task_id"], "completion": task["canonical_solution"]})
        print_summary(f"{len(tasks)} tasks of {len(lines)} problems in {out}; left out: {reasons or 'none'}")
