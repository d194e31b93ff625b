"""A problem of stdin and stdout through every stage, with a model that answers from a script and the real sandbox."""

from collections.abc import Sequence

import numpy as np

from ucoder.core.decontamination import Decontamination
from ucoder.core.matrix import Matrix
from ucoder.core.selection import select
from ucoder.generator.novelty import ClaimsInMemory, Novelty
from ucoder.generator.problem_invention import ProblemChecks, invent_problem
from ucoder.generator.solution_sampling import sample_solutions
from ucoder.models import Completion, SamplingParameters
from ucoder.runs import run_config as run_config
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import SandboxJob
from ucoder.sandbox_runner.service import tests_from_messages as cases_of
from ucoder.test_synth.test_writing import synthesize_tests
from ucoder.v1 import artifacts_pb2 as pb

STATEMENT = (
    "Sum\n\nAdd the numbers of a line, however many there are; an empty line adds up to 0.\n\n"
    "Input: one line of integers.\nOutput: print their sum.\n\nExample input:\n1 2\n\nExample output:\n3\n"
)
RIGHT = "```python\nprint(sum(map(int, input().split())))\n```"
WRONG = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
TESTS = "4 5 6\n\nOutput:\n15\n\nInput:\n7\n\nOutput:\n7\n"


class PromptedModel:
    """A model that answers by the words of the prompt."""

    async def complete(
        self, model: str, prompt: str, *, n: int, sampling: SamplingParameters, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        text = "3"
        if "Invent one new" in prompt:
            text = STATEMENT
        elif "Write six tests" in prompt:
            text = TESTS
        elif "Write a Python program" in prompt:
            return [Completion(WRONG if i % 3 == 2 else RIGHT, 9, -0.1, "stop") for i in range(n)]
        return [Completion(text, 9, -0.1, "stop")] * n


async def call_returns(program: str, call: str, entry_point: str) -> bool:
    raise AssertionError("a script has no skeleton to run")


async def test_a_script_problem_is_posed_tested_solved_and_decided() -> None:
    config, model = run_config.load(), PromptedModel()
    brief = pb.Brief(model="m", domain="competitive_programming", difficulty=2, script=True)
    problem = await invent_problem(
        model,
        brief,
        config.problems,
        "chat",
        ProblemChecks(Novelty(ClaimsInMemory(), "r", 1.0), "b", Decontamination([]), call_returns),
    )
    assert isinstance(problem, pb.Problem)
    assert (problem.title, problem.entry_point, problem.rating) == ("Sum", "", 3.0)
    tests = await synthesize_tests(model, "m", problem, config.tests, "chat", seed=1)
    assert isinstance(tests, pb.Tests)
    assert [(one.stdin, one.count) for one in tests.tests] == [("1 2\n", 1), ("4 5 6\n", 20), ("7\n", 20)]
    candidates = await sample_solutions(model, "m", problem, config.candidates, "chat", n=9, seed=1)
    cases = cases_of(tests.tests)
    async with Sandbox.open(cells=1) as sandbox:
        job = SandboxJob(tuple(one.program for one in candidates), cases)
        rows = sorted([row async for row in sandbox.execute(job)], key=lambda row: row.program)
    matrix = Matrix.build([row.outcomes for row in rows], [row.outputs for row in rows], cases)
    chosen = select(matrix)
    assert np.flatnonzero(matrix.passed.all(axis=1)).tolist() == [0, 1, 3, 4, 6, 7]
    assert chosen.winner in (0, 1, 3, 4, 6, 7)
    assert chosen.clusters[0].share == 6 / 9
