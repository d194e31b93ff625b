"""`ucoder generate problems`: stages 1 to 3."""

from collections import Counter
from pathlib import Path

from ucoder.cli.execute import settings_of
from ucoder.cli.generate.model_source import Asked, Source
from ucoder.cli.generate.problem_lines import each, output, told
from ucoder.core.decontamination import Decontamination
from ucoder.core.outcomes import Outcome
from ucoder.core.problem_parsing import Statement, read_statement
from ucoder.core.script_problems import read_script
from ucoder.core.test_plans import Test
from ucoder.errors import Retry
from ucoder.generator.known_tasks import known_tasks
from ucoder.generator.novelty import ClaimsInMemory, Novelty
from ucoder.generator.problem_invention import ProblemChecks, invent_problem
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import SandboxJob
from ucoder.v1 import artifacts_pb2 as pb

WAVES = 4
"""Times that as many briefs are asked for as problems are still missing."""


async def main(
    out: Path, asked: Asked, *, count: int, domains: list[str], difficulties: tuple[int, int], avoid: list[Path],
    scripts: bool, isolation: str | None,
) -> None:  # fmt: skip
    """Writes `count` problems that differ from each other and from the tasks of the files to avoid.

    Retry (code 1) when the model does not come to so many; what there is is written.
    """
    cells = [(d, level) for level in range(difficulties[0], difficulties[1] + 1) for d in domains]
    settings = settings_of(isolation, None)
    known = Decontamination(known_tasks(["seed", *map(str, avoid)]))
    refused: Counter[str] = Counter()
    about = {"model": asked.model, "seed": asked.seed, "cells": cells, "count": count, "scripts": scripts}
    with output(out, command="problems", **about) as file:
        async with (
            Source.open(asked) as source,
            Sandbox.open(isolation=settings.isolation, cells=settings.cells) as sandbox,
        ):
            config = source.config.problems
            freshness = Novelty(ClaimsInMemory(), "file", config.near_duplicate)
            for name, line in file.done.items():
                await freshness.claim((read_script if scripts else read_statement)(line["prompt"]), name)

            async def runs(program: str, call: str, entry_point: str) -> bool:
                job = SandboxJob((program,), (Test(code=call),), entry_point)
                return [row.outcomes async for row in sandbox.execute(job)] == [(Outcome.RETURNED,)]

            async def one(number: int) -> None:
                name, (domain, difficulty) = f"problem/{number:06d}", cells[number % len(cells)]

                async def claim(statement: Statement) -> tuple[str, str]:
                    return await freshness.claim(statement, name)

                brief = pb.Brief(
                    number=number, seed=(asked.seed << 24) + number, model=source.name, domain=domain,
                    difficulty=difficulty, script=scripts,
                )  # fmt: skip
                checks = ProblemChecks(claim, known, runs)
                made = await invent_problem(source.model, brief, config, source.profile, checks)
                refused.update(refusal.reason for refusal in checks.refused)
                if not isinstance(made, Dropped):
                    file.write({"id": name, **_line(made)})

            first = 0
            for _ in range(WAVES):
                missing = count - len(file.done)
                numbers = range(first, first + max(0, missing))
                first += max(0, missing)
                fresh = [number for number in numbers if f"problem/{number:06d}" not in file.done]
                await each("inventing", fresh, one)
        file.finish()
        reasons = ", ".join(f"{reason} {n}" for reason, n in refused.most_common())
        told(f"{len(file.done)} problems in {out}; attempts refused: {reasons or 'none'}; {source.model.tokens} tokens")
        if len(file.done) < count:
            raise Retry(
                f"{len(file.done)} of {count} problems; the model repeats itself or cannot be read (see above)."
            )


def _line(problem: pb.Problem) -> dict[str, object]:
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
