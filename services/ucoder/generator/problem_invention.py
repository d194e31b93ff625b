"""Stages 1 to 3 of the paper: invents a problem, rates it and plans its solution; records why attempts are refused."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ucoder.core.decontamination import Decontamination
from ucoder.core.drop_reasons import DropReason
from ucoder.core.input_synthesis import UnclearSignature, read_signature
from ucoder.core.input_synthesis.input_drawing import draw_tests
from ucoder.core.problem_parsing import Statement, UnusableProblem, description_of, read_skeleton, read_statement
from ucoder.core.ratings import read_rating
from ucoder.core.script_problems import read_script
from ucoder.generator.novelty import Novelty
from ucoder.models.prompts import Prompts
from ucoder.models.protocol import Completer, SamplingParameters
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


@dataclass(frozen=True, slots=True)
class RefusedAttempt:
    """An attempt that gave no usable problem. `benchmark` and `task` are set where it repeats a known task."""

    attempt: int
    reason: DropReason
    detail: str
    text: str
    """The model's completion."""
    benchmark: str = ""
    task: str = ""


@dataclass(frozen=True)
class ProblemChecks:
    """The checks that a readable problem must pass."""

    novelty: Novelty
    owner: str
    """The brief that claims the problem."""
    known: Decontamination
    call_returns: Callable[[str, str, str], Awaitable[bool]]
    """(program, call, entry_point) -> whether the call returns in the sandbox; not used for scripts."""
    refused: list[RefusedAttempt] = field(default_factory=list)
    """Filled in by `invent_problem`."""


async def invent_problem(
    model: Completer, brief: pb.Brief, config: config_pb2.ProblemConfig, profile: str, checks: ProblemChecks
) -> pb.Problem | Dropped:
    """Returns a problem for the brief, or drops the brief with the reason of the last refused attempt.

    Rating and skeleton stay empty where the model writes nothing that can be read.
    """
    prompts = Prompts.load(profile, script=brief.script)
    seeds = random.Random(brief.seed)

    async def completion(stage: str, sampling: config_pb2.Sampling, **values: object) -> str:
        [answer] = await model.complete(
            brief.model,
            prompts.render(stage, **values),
            n=1,
            sampling=SamplingParameters.of(sampling),
            stop=prompts.stop(stage),
            seed=seeds.getrandbits(48),
        )
        return answer.text

    for attempt in range(1, config.attempts + 1):
        text = await completion("problem", config.sampling, domain=brief.domain, difficulty=brief.difficulty)
        checked = await _checked(text, attempt, checks, read_script if brief.script else read_statement)
        if isinstance(checked, RefusedAttempt):
            checks.refused.append(checked)
            continue
        problem = pb.Problem(
            brief=brief,
            title=checked.title,
            prompt=checked.prompt,
            entry_point=checked.entry_point,
            prompts=prompts.version,
            attempts=attempt,
            description=description_of(checked.prompt),
            example=checked.example.test if checked.example else "",
            hint=checked.hint,
        )
        problem.rating = read_rating(await completion("rating", config.rating, problem=problem.prompt)) or 0.0
        if problem.entry_point:  # a script has no signature that a skeleton could continue
            skeleton = await completion("skeleton", config.skeleton, problem=problem.prompt)
            problem.skeleton = read_skeleton(problem.prompt, skeleton)
        return problem
    last = checks.refused[-1]
    return Dropped(last.reason, f"after {config.attempts} attempts; {last.detail}".rstrip("; "))


async def _checked(
    text: str, attempt: int, checks: ProblemChecks, read: Callable[[str], Statement]
) -> Statement | RefusedAttempt:
    """Returns the statement in a completion, or why it is refused. The cheapest check is first."""
    try:
        statement = read(text)
    except UnusableProblem as error:
        return RefusedAttempt(attempt, error.reason, error.detail, text)
    if match := checks.known.find(statement.prompt):
        detail = f"{match.benchmark} {match.task} by {match.rule}"
        return RefusedAttempt(attempt, DropReason.CONTAMINATED, detail, text, match.benchmark, match.task)
    call = _example_call(statement)
    program = f"{statement.prompt}    pass\n"
    if call and not await checks.call_returns(program, call, statement.entry_point):
        return RefusedAttempt(attempt, DropReason.SKELETON_FAILS, call, text)
    if earlier := await checks.novelty.claim(statement, checks.owner):
        return RefusedAttempt(attempt, earlier.reason, earlier.owner, text)
    return statement


def _example_call(statement: Statement) -> str:
    """Returns a call that fits the signature: the example, or one drawn from the types; empty without either."""
    if not statement.entry_point:
        return ""
    if statement.example:
        return statement.example.call
    try:
        return draw_tests(read_signature(statement.prompt, [], statement.entry_point), 1, 0)[0].code
    except (UnclearSignature, IndexError):
        return ""
