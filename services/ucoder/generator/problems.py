"""Stages 1 to 3 of the paper: invent a problem, rate it, plan it."""

import random
from collections.abc import Awaitable, Callable

from ucoder.core.decontamination import Decontamination
from ucoder.core.problems import Unusable, read_rating, read_skeleton, read_statement
from ucoder.models.metered import Completer
from ucoder.models.prompts import Prompts
from ucoder.models.sampling import draw
from ucoder.runtime.worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


async def invent(
    model: Completer,
    brief: pb.Brief,
    config: config_pb2.ProblemConfig,
    profile: str,
    *,
    fresh: Callable[[str], Awaitable[bool]],
    known: Decontamination,
) -> pb.Problem | Dropped:
    """A problem for the brief, or the reason of its last attempt.

    `fresh(fingerprint)` claims a problem for this brief; False when another has it. Reasons: those of
    `core.problems.Unusable`, duplicate, contaminated.
    """
    prompts = Prompts.load(profile)
    seeds = random.Random(brief.seed)
    ask = prompts.render("problem", domain=brief.domain, difficulty=brief.difficulty)
    reason = ""
    for attempt in range(1, config.attempts + 1):
        [wrote] = await model.complete(
            brief.model, ask, n=1, draw=draw(config.sampling), stop=prompts.stop("problem"), seed=seeds.getrandbits(48)
        )
        try:
            statement = read_statement(wrote.text)
        except Unusable as error:
            reason = error.reason
            continue
        if known.is_known(statement.prompt):
            reason = "contaminated"
            continue
        if not await fresh(statement.fingerprint):
            reason = "duplicate"
            continue
        problem = pb.Problem(
            brief=brief,
            title=statement.title,
            prompt=statement.prompt,
            entry_point=statement.entry_point,
            prompts=prompts.version,
            attempts=attempt,
        )
        await _rate_and_plan(model, problem, config, prompts, seeds)
        return problem
    return Dropped(reason, f"after {config.attempts} attempts")


async def _rate_and_plan(
    model: Completer, problem: pb.Problem, config: config_pb2.ProblemConfig, prompts: Prompts, seeds: random.Random
) -> None:
    """Fills in rating and skeleton; where the model writes nothing that can be read they stay empty."""
    name = problem.brief.model
    [rated] = await model.complete(
        name,
        prompts.render("rating", problem=problem.prompt),
        n=1,
        draw=draw(config.rating),
        stop=prompts.stop("rating"),
        seed=seeds.getrandbits(48),
    )
    problem.rating = read_rating(rated.text) or 0.0
    [planned] = await model.complete(
        name,
        prompts.render("skeleton", problem=problem.prompt),
        n=1,
        draw=draw(config.skeleton),
        stop=prompts.stop("skeleton"),
        seed=seeds.getrandbits(48),
    )
    problem.skeleton = read_skeleton(problem.prompt, planned.text)
