"""`ucoder generate problems`: invents problems, as stages 1 to 3 of the loop do."""

from collections import Counter
from pathlib import Path
from typing import Annotated

from typer import Option

from ucoder.cli.generate.model_source import ModelSource
from ucoder.cli.generate.problem_lines import Line, ResumableFile, print_summary
from ucoder.cli.shared import options
from ucoder.cli.shared.local_sandbox import open_sandbox
from ucoder.core.decontamination import Decontamination
from ucoder.core.outcomes import Outcome
from ucoder.core.problem_parsing import read_statement
from ucoder.core.script_problems import read_script
from ucoder.core.test_plans import Test
from ucoder.errors import Retry
from ucoder.generator.known_tasks import known_tasks
from ucoder.generator.novelty import ClaimsInMemory, Novelty
from ucoder.generator.problem_invention import ProblemChecks, invent_problem
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.sandbox_runner.sandbox_job import SandboxJob
from ucoder.v1 import artifacts_pb2 as pb

DOMAINS = ["algorithms", "natural_instruction", "tool_usage", "competitive_programming"]
WAVES = 4
"""Times that as many problems are asked for as are still missing."""


async def generate_problems(
    out: options.LinesOutFlag,
    count: Annotated[int, Option("-n", "--count", min=1, help="Number of problems.")] = 20,
    domain: Annotated[list[str] | None, Option(help="Domain; several take turns. Default: those of the paper.")] = None,
    easiest: Annotated[int, Option(min=1, max=5, help="Lowest difficulty.")] = 1,
    hardest: Annotated[int, Option(min=1, max=5, help="Highest difficulty.")] = 5,
    scripts: Annotated[bool, Option("--scripts", help="Programs that read stdin, not functions.")] = False,
    avoid: Annotated[list[Path] | None, Option(help="Benchmark files whose tasks must not appear.")] = None,
    model: options.ModelFlag = "seed",
    name: options.ModelNameFlag = None,
    profile: options.ProfileFlag = None,
    config: options.SamplingConfigFlag = None,
    seed: options.SeedFlag = 1,
    isolation: options.IsolationFlag = None,
) -> None:
    """Invents problems: title, signature with types, docstring, example, hint, plan.

    The problems differ from each other and from the tasks to avoid, and their skeletons run. Ends with code 1 when the
    model does not make enough of them; the file then holds those that it made.

    Example: `ucoder generate problems -n 50 --domain algorithms -o problems.jsonl`
    """
    levels = range(min(easiest, hardest), max(easiest, hardest) + 1)
    cells = [(one, level) for level in levels for one in domain or DOMAINS]
    known = Decontamination(known_tasks(["seed", *map(str, avoid or [])]))
    refused: Counter[str] = Counter()
    settings = {"model": model, "seed": seed, "cells": cells, "count": count, "scripts": scripts}
    with ResumableFile(out, command="problems", **settings) as file:
        async with ModelSource.open(model, name, profile, config) as source, open_sandbox(isolation) as sandbox:
            problem_config = source.config.problems
            novelty = Novelty(ClaimsInMemory(), "file", problem_config.near_duplicate)
            for owner, line in file.done.items():
                await novelty.claim((read_script if scripts else read_statement)(line["prompt"]), owner)

            async def returns(program: str, call: str, entry_point: str) -> bool:
                job = SandboxJob((program,), (Test(code=call),), entry_point)
                return [result.outcomes async for result in sandbox.execute(job)] == [(Outcome.RETURNED,)]

            async def invent(line: Line) -> Line | None:
                number: int = line["number"]
                of_domain, difficulty = cells[number % len(cells)]
                brief = pb.Brief(
                    number=number, seed=(seed << 24) + number, model=source.name, domain=of_domain,
                    difficulty=difficulty, script=scripts,
                )  # fmt: skip
                checks = ProblemChecks(novelty, line["id"], known, returns)
                made = await invent_problem(source.model, brief, problem_config, source.profile, checks)
                refused.update(refusal.reason for refusal in checks.refused)
                return None if isinstance(made, Dropped) else _values(made)

            first = 0
            for _ in range(WAVES):
                missing = max(0, count - len(file.done))
                numbers = range(first, first + missing)
                first += missing
                lines = [{"id": f"problem/{number:06d}", "number": number} for number in numbers]
                await file.process("inventing", lines, invent)
        file.finish()
        reasons = ", ".join(f"{reason} {n}" for reason, n in refused.most_common())
        made_of = f"attempts refused: {reasons or 'none'}; {source.model.tokens} tokens"
        print_summary(f"{len(file.done)} problems in {out}; {made_of}")
        if len(file.done) < count:
            raise Retry(
                f"{len(file.done)} of {count} problems; the model repeats itself or cannot be parsed (see above)."
            )


def _values(problem: pb.Problem) -> Line:
    """Returns a problem as the file has it, without its id."""
    return {
        "title": problem.title,
        "prompt": problem.prompt,
        "entry_point": problem.entry_point,
        "description": problem.description,
        "example": problem.example,
        "hint": problem.hint,
        "skeleton": problem.skeleton,
        "domain": problem.brief.domain,
        "difficulty": problem.brief.difficulty,
        "rating": problem.rating,
        "prompts": problem.prompts,
    }
