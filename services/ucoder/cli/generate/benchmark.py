"""`ucoder generate benchmark`: makes a benchmark in HumanEval's format out of programs that agree."""

from collections import Counter
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ucoder.cli.generate.benchmark_task import make_task
from ucoder.cli.generate.problem_lines import ResumableFile, print_summary, read_problems
from ucoder.cli.shared import options
from ucoder.cli.shared.local_sandbox import open_sandbox
from ucoder.cli.shared.question_files import write_lines
from ucoder.errors import Misconfigured


async def generate_benchmark(
    candidates: Annotated[Path, Argument(metavar="IN.jsonl[.gz]", help="File that `ucoder generate solutions` wrote.")],
    out: options.LinesOutFlag,
    min_confidence: Annotated[
        float, Option(min=0, max=1, help="Leave out problems whose candidates agree with less confidence.")
    ] = 0.5,
    tests: Annotated[int, Option(min=1, help="Most tests of a task.")] = 20,
    least: Annotated[int, Option(min=1, help="Leave out problems with fewer tests.")] = 5,
    references: Annotated[
        Path | None, Option(help="Also write the reference solutions, as a samples file to check with.")
    ] = None,
    seed: options.SeedFlag = 1,
    isolation: options.IsolationFlag = None,
) -> None:
    """Makes a benchmark in HumanEval's format: programs that agree become references, and their outputs the tests.

    Check it with `ucoder evaluate --benchmark humaneval --data OUT --samples REFERENCES`: its references score 100%.

    Example: `ucoder generate benchmark solutions.jsonl -o benchmark.jsonl --references references.jsonl`
    """
    lines = read_problems(candidates)
    bare = [line["id"] for line in lines if not line.get("candidates")]
    if bare:
        raise Misconfigured(f"{candidates}: {bare[0]} has no candidates; `ucoder generate solutions` makes them.")
    settings = {
        "candidates": str(candidates), "min_confidence": min_confidence, "tests": tests, "least": least, "seed": seed,
    }  # fmt: skip
    with ResumableFile(out, command="benchmark", **settings) as file:
        async with open_sandbox(isolation) as sandbox:
            made = await file.process(
                "agreeing", lines, lambda line: make_task(sandbox, line, min_confidence, tests, least, seed)
            )
        tasks = [line["task"] for line in made if "task" in line]
        counts = Counter(line["left_out"] for line in made if "left_out" in line)
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
        if not tasks:
            raise Misconfigured(f"no problem of {candidates} became a task: {reasons}.")
        file.finish(tasks)
        if references:
            solutions = [{"task_id": task["task_id"], "completion": task["canonical_solution"]} for task in tasks]
            write_lines(references, solutions)
        print_summary(f"{len(tasks)} tasks of {len(lines)} problems in {out}; left out: {reasons or 'none'}")
