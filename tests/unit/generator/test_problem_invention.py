"""Inventing problems: each refused attempt has its reason, and a problem that passes is complete."""

import asyncio
from collections.abc import Sequence

import pytest

from ucoder.core.decontamination import Decontamination, KnownTask
from ucoder.generator.novelty import ClaimsInMemory, Novelty
from ucoder.generator.problem_invention import ProblemChecks, invent_problem
from ucoder.models import Completion, SamplingParameters
from ucoder.models.token_counts import TokenCounter
from ucoder.runs import run_config as run_config
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb

GOOD = 'def total(xs: list[int]) -> int:\n    """Add the numbers of a list.\n\n    >>> total([1, 2])\n    3\n    """\n'
KNOWN = GOOD.replace("Add the numbers of a list", "Return the largest of all numbers")
BREAKS = GOOD.replace("Add", "Multiply").replace("[1, 2]", "[9]")


class StagedModel:
    """A model that answers by stage: the problems in turn, a fixed rating and a fixed plan."""

    def __init__(self, *problems: str) -> None:
        self._problems = list(problems)
        self.seeds: list[int] = []

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        self.seeds.append(seed)
        text = "4" if "# difficulty" in prompt else "# add\n" if "# skeleton" in prompt else self._problems.pop(0)
        return [Completion(text, 10, -0.1, "stop")]


def invented(
    *problems: str, attempts: int = 4, claims: ClaimsInMemory | None = None, owner: str = "001-000000"
) -> tuple[pb.Problem | Dropped, ProblemChecks, TokenCounter]:
    """Returns the result for a brief, its checks and the token counter."""

    async def call_returns(program: str, call: str, entry_point: str) -> bool:
        return call != "total([9])"

    known = Decontamination([KnownTask("humaneval", "HumanEval/35", KNOWN)])
    checks = ProblemChecks(Novelty(claims or ClaimsInMemory(), "r", 0.8), owner, known, call_returns)
    config = run_config.load(preset="demo").problems
    config.attempts = attempts
    model = TokenCounter(StagedModel(*problems))
    brief = pb.Brief(seed=5, domain="algorithms", difficulty=2, model="m")
    return asyncio.run(invent_problem(model, brief, config, "seed", checks)), checks, model


def test_the_first_attempt_that_passes_becomes_a_complete_problem() -> None:
    problem, checks, model = invented("prose", KNOWN, BREAKS, GOOD)
    assert isinstance(problem, pb.Problem)
    assert [one.reason for one in checks.refused] == ["no_function", "contaminated", "skeleton_fails"]
    assert (checks.refused[1].benchmark, checks.refused[1].task) == ("humaneval", "HumanEval/35")
    assert (problem.attempts, problem.rating, problem.skeleton) == (4, 4.0, "    # add")
    assert (problem.description, problem.example) == ("Add the numbers of a list.", "assert total([1, 2]) == 3")
    assert problem.prompts.startswith("seed@")
    assert model.tokens == 60


@pytest.mark.parametrize(("text", "reason"), [("", "no_function"), (KNOWN, "contaminated"), (BREAKS, "skeleton_fails")])
def test_a_dropped_brief_has_the_reason_of_its_last_attempt(text: str, reason: str) -> None:
    dropped, checks, _ = invented(text, text, attempts=2)
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, len(checks.refused)) == (reason, 2)


def test_a_problem_belongs_to_the_brief_that_claimed_it() -> None:
    claims = ClaimsInMemory()
    assert isinstance(invented(GOOD, claims=claims)[0], pb.Problem)
    assert isinstance(invented(GOOD, claims=claims)[0], pb.Problem), "a redelivered brief claims its problem again"
    dropped = invented(GOOD, attempts=1, claims=claims, owner="001-000001")[0]
    assert isinstance(dropped, Dropped)
    assert dropped.reason == "duplicate"
    assert "001-000000" in dropped.detail
