"""Stages 1 to 3 of the paper: invent a problem, rate it, plan it; every attempt that is refused says why."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ucoder.core.decontamination import Decontamination
from ucoder.core.input_synthesis import UnclearSignature, read_signature
from ucoder.core.input_synthesis.input_drawing import draw_tests
from ucoder.core.problem_parsing import Statement, UnusableProblem, description_of, read_skeleton, read_statement
from ucoder.core.ratings import read_rating
from ucoder.core.script_problems import read_script
from ucoder.models.prompts import Prompts
from ucoder.models.protocol import Completer, SamplingParameters
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


@dataclass(frozen=True, slots=True)
class RefusedAttempt:
    """An attempt that came to nothing. `benchmark` and `task` are set where it repeats a known task."""

    attempt: int
    reason: str
    detail: str
    text: str
    benchmark: str = ""
    task: str = ""


@dataclass(frozen=True)
class ProblemChecks:
    """What a problem must pass besides being readable.

    claim(statement): ("", "") when it is new, else reason and detail. runs(program, call, entry_point): whether the
    call returns in the sandbox; a script has no skeleton to run.
    """

    claim: Callable[[Statement], Awaitable[tuple[str, str]]]
    known: Decontamination
    runs: Callable[[str, str, str], Awaitable[bool]]
    refused: list[RefusedAttempt] = field(default_factory=list)
    """Filled in by `invent_problem`."""


async def invent_problem(
    model: Completer, brief: pb.Brief, config: config_pb2.ProblemConfig, profile: str, checks: ProblemChecks
) -> pb.Problem | Dropped:
    """A problem for the brief, or the reason of its last attempt.

    Reasons: those of `read_statement` and `read_script`, contaminated, duplicate, near_duplicate, skeleton_fails.
    """
    prompts = Prompts.load(profile, script=brief.script)
    seeds = random.Random(brief.seed)
    ask = prompts.render("problem", domain=brief.domain, difficulty=brief.difficulty)
    for attempt in range(1, config.attempts + 1):
        [wrote] = await model.complete(
            brief.model,
            ask,
            n=1,
            sampling=SamplingParameters.of(config.sampling),
            stop=prompts.stop("problem"),
            seed=seeds.getrandbits(48),
        )
        found = await _checked(wrote.text, attempt, checks, read_script if brief.script else read_statement)
        if isinstance(found, RefusedAttempt):
            checks.refused.append(found)
            continue
        problem = pb.Problem(
            brief=brief,
            title=found.title,
            prompt=found.prompt,
            entry_point=found.entry_point,
            prompts=prompts.version,
            attempts=attempt,
            description=description_of(found.prompt),
            example=found.example.test if found.example else "",
            hint=found.hint,
        )
        await _rate_and_plan(model, problem, config, prompts, seeds)
        return problem
    last = checks.refused[-1]
    return Dropped(last.reason, f"after {config.attempts} attempts; {last.detail}".rstrip("; "))


async def _checked(
    text: str, attempt: int, checks: ProblemChecks, read: Callable[[str], Statement]
) -> Statement | RefusedAttempt:
    """The statement in a completion, or why it cannot be posed. What costs least is asked first."""
    try:
        statement = read(text)
    except UnusableProblem as error:
        return RefusedAttempt(attempt, error.reason, error.detail, text)
    if match := checks.known.find(statement.prompt):
        where = f"{match.benchmark} {match.task} by {match.rule}"
        return RefusedAttempt(attempt, "contaminated", where, text, match.benchmark, match.task)
    if (call := _call(statement)) and not await checks.runs(
        f"{statement.prompt}    pass\n", call, statement.entry_point
    ):
        return RefusedAttempt(attempt, "skeleton_fails", call, text)
    reason, detail = await checks.claim(statement)
    return RefusedAttempt(attempt, reason, detail, text) if reason else statement


def _call(statement: Statement) -> str:
    """A call that fits the signature: the example's, or one drawn from the types; empty where nothing tells."""
    if not statement.entry_point:
        return ""
    if statement.example:
        return statement.example.call
    try:
        return draw_tests(read_signature(statement.prompt, [], statement.entry_point), 1, 0)[0].code
    except (UnclearSignature, IndexError):
        return ""


async def _rate_and_plan(
    model: Completer, problem: pb.Problem, config: config_pb2.ProblemConfig, prompts: Prompts, seeds: random.Random
) -> None:
    """Fills in rating and skeleton; where the model writes nothing that can be read they stay empty."""
    name = problem.brief.model
    [rated] = await model.complete(
        name,
        prompts.render("rating", problem=problem.prompt),
        n=1,
        sampling=SamplingParameters.of(config.rating),
        stop=prompts.stop("rating"),
        seed=seeds.getrandbits(48),
    )
    problem.rating = read_rating(rated.text) or 0.0
    if not problem.entry_point:
        return  # a script has no signature to plan behind
    [planned] = await model.complete(
        name,
        prompts.render("skeleton", problem=problem.prompt),
        n=1,
        sampling=SamplingParameters.of(config.skeleton),
        stop=prompts.stop("skeleton"),
        seed=seeds.getrandbits(48),
    )
    problem.skeleton = read_skeleton(problem.prompt, planned.text)
