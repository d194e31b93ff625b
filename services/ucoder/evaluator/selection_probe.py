"""What a checkpoint's own tests and the run's selection are worth, told on dev tasks whose truth is known.

The answers are those that the dev split was measured with; tests, execution and selection are the loop's own. Nothing
here reaches a training set: the gate alone looks at it.
"""

import ast
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from ucoder.core.extraction import parse
from ucoder.errors import Retry, TooFewTests, of_call
from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.evaluator.answers import Answers
from ucoder.evaluator.benchmarks import program
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, consensus_pb2_grpc, test_synth_pb2, test_synth_pb2_grpc

AT_ONCE = 32  # tasks probed at the same time: enough to fill the model's batches


@dataclass(frozen=True, slots=True)
class Probing:
    """The services of the loop that are measured, and how the run uses them."""

    tests: "test_synth_pb2_grpc.TestSynthServiceAsyncStub"
    consensus: "consensus_pb2_grpc.ConsensusServiceAsyncStub"
    judge: AnswerJudge
    config: config_pb2.RunConfig

    async def probe(self, model: str, answers: Sequence[Answers]) -> pb.Probe:
        """The probe of a served model on the first `evaluation.probe` tasks that have a reference and a function."""
        fit = [one for one in answers if one.task.canonical_solution and one.task.entry_point and not one.task.compat]
        room = asyncio.Semaphore(AT_ONCE)

        async def one(place: int, answer: Answers) -> pb.Probe:
            async with room:
                return await self._task(model, place, answer)

        some = fit[: self.config.evaluation.probe]
        found = await asyncio.gather(*(one(place, answer) for place, answer in enumerate(some)))
        return pb.Probe(
            **{field.name: sum(getattr(p, field.name) for p in found) for field in pb.Probe.DESCRIPTOR.fields}
        )

    async def _task(self, model: str, place: int, answer: Answers) -> pb.Probe:
        tests = await self._tests(model, place, answer)
        if not tests:
            return pb.Probe(tasks=1)
        task, programs = answer.task, [one.program for one in answer.sampled]
        reference = program(task, task.canonical_solution)
        truth, *rows = await self.judge.execute([reference, *programs], tests, task.entry_point)
        if any(pb.OUTCOME_INFRA_ERROR in row.outcomes for row in (truth, *rows)):
            raise Retry(f"{task.task_id}: the sandbox failed; nothing is known about its programs. Try again.")
        claims = [outcome for test, outcome in zip(tests, truth.outcomes, strict=True) if _claims(test.code)]
        for number, row in enumerate(rows):
            row.program = number
        verdict = await self._selected(rows, tests, programs)
        return pb.Probe(
            tasks=1,
            tested=1,
            claims=len(claims),
            true_claims=claims.count(pb.OUTCOME_PASSED),
            selected=int(verdict is not None),
            right=int(verdict is not None and answer.sampled[verdict].right),
            solvable=int(any(one.right for one in answer.sampled)),
        )

    async def _tests(self, model: str, place: int, answer: Answers) -> list[pb.TestCase]:
        """The model's tests; none where it writes too few that can be read."""
        request = test_synth_pb2.SynthesizeTestsRequest(
            model=model,
            profile=self.config.model.profile,
            problem=pb.Problem(prompt=answer.task.prompt, entry_point=answer.task.entry_point),
            config=self.config.tests,
            seed=1000 * place,
        )
        try:
            return list((await self.tests.SynthesizeTests(request)).tests.tests)
        except grpc.aio.AioRpcError as error:
            failure = of_call(error)
            if isinstance(failure, TooFewTests):
                return []
            raise failure from None

    async def _selected(
        self, rows: Sequence[pb.Row], tests: Sequence[pb.TestCase], programs: Sequence[str]
    ) -> int | None:
        """The program that the run's own selection takes; None where it abstains."""
        request = consensus_pb2.ClusterRequest(
            rows=rows, tests=tests, programs=programs, selection=self.config.selection
        )
        try:
            verdict = (await self.consensus.Cluster(request)).verdict
        except grpc.aio.AioRpcError as error:
            raise of_call(error) from None
        return verdict.selected if verdict.HasField("selected") else None


def _claims(test: str) -> bool:
    """Whether a test says what comes out, or is an input alone."""
    tree = parse(test)
    return tree is not None and any(isinstance(node, ast.Assert) for node in tree.body)
