"""Measures how good a checkpoint's own tests and the run's selection are, on dev tasks whose right answer is known.

The answers are those that the dev split was scored with; tests, execution and selection are the loop's own. Only the
promotion gate sees the result: it never reaches a training set.
"""

import ast
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from ucoder.core.extraction import parse
from ucoder.errors import TooFewTests, of_call
from ucoder.evaluator.answer_judging import AnswerJudge, check_sandbox
from ucoder.evaluator.task_answers import TaskAnswers
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, consensus_pb2_grpc, test_synth_pb2, test_synth_pb2_grpc

MAX_TASKS = 32
"""Number of tasks that are probed at the same time: enough to fill the model's batches."""


@dataclass(frozen=True, slots=True)
class SelectionProbe:
    """The services of the loop that are measured, and the run's configuration of them."""

    tests: "test_synth_pb2_grpc.TestSynthServiceAsyncStub"
    consensus: "consensus_pb2_grpc.ConsensusServiceAsyncStub"
    judge: AnswerJudge
    config: config_pb2.RunConfig

    async def measure(self, model: str, answers: Sequence[TaskAnswers]) -> pb.Probe:
        """Measures a served model on the first `evaluation.probe` tasks that have a reference and a function."""
        limit = asyncio.Semaphore(MAX_TASKS)
        suitable = [
            answered
            for answered in answers
            if answered.task.canonical_solution and answered.task.entry_point and not answered.task.compat
        ]

        async def measure_task(place: int, answered: TaskAnswers) -> pb.Probe:
            async with limit:
                return await self._measure_task(model, place, answered)

        chosen = suitable[: self.config.evaluation.probe]
        probes = await asyncio.gather(*(measure_task(*numbered) for numbered in enumerate(chosen)))
        return pb.Probe(
            **{field.name: sum(getattr(p, field.name) for p in probes) for field in pb.Probe.DESCRIPTOR.fields}
        )

    async def _measure_task(self, model: str, place: int, answered: TaskAnswers) -> pb.Probe:
        tests = await self._write_tests(model, place, answered)
        if not tests:
            return pb.Probe(tasks=1)
        task, programs = answered.task, [judged.program for judged in answered.sampled]
        reference = task.program(task.canonical_solution)
        truth, *rows = await self.judge.execute([reference, *programs], tests, task.entry_point)
        check_sandbox(task, (truth, *rows))
        claims = [outcome for test, outcome in zip(tests, truth.outcomes, strict=True) if _has_assertion(test.code)]
        for number, row in enumerate(rows):
            row.program = number
        selected = await self._select(rows, tests, programs)
        return pb.Probe(
            tasks=1,
            tested=1,
            claims=len(claims),
            true_claims=claims.count(pb.OUTCOME_PASSED),
            selected=int(selected is not None),
            right=int(selected is not None and answered.sampled[selected].right),
            solvable=int(any(judged.right for judged in answered.sampled)),
        )

    async def _write_tests(self, model: str, place: int, answered: TaskAnswers) -> list[pb.TestCase]:
        """Returns the model's tests; none if it writes too few that can be read."""
        request = test_synth_pb2.SynthesizeTestsRequest(
            model=model,
            profile=self.config.model.profile,
            problem=pb.Problem(prompt=answered.task.prompt, entry_point=answered.task.entry_point),
            config=self.config.tests,
            seed=1000 * place,
        )
        try:
            return list((await self.tests.SynthesizeTests(request)).tests.tests)
        except grpc.aio.AioRpcError as error:
            if isinstance(of_call(error), TooFewTests):
                return []
            raise

    async def _select(
        self, rows: Sequence[pb.Row], tests: Sequence[pb.TestCase], programs: Sequence[str]
    ) -> int | None:
        """Returns the index of the program that the run's own selection takes; None if it abstains."""
        request = consensus_pb2.ClusterRequest(
            rows=rows, tests=tests, programs=programs, selection=self.config.selection
        )
        verdict = (await self.consensus.Cluster(request)).verdict
        return verdict.selected if verdict.HasField("selected") else None


def _has_assertion(test: str) -> bool:
    """Returns whether a test claims what the result is; otherwise it is an input alone."""
    tree = parse(test)
    return tree is not None and any(isinstance(node, ast.Assert) for node in tree.body)
