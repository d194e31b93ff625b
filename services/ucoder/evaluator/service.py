"""EvaluatorService, and what its arrow uses."""

import contextlib
from collections.abc import AsyncIterator

from ucoder.errors import Reject
from ucoder.evaluator.answer_judging import AnswerJudge, Judged
from ucoder.evaluator.answers import Answers, scores
from ucoder.evaluator.benchmarks import load
from ucoder.evaluator.model_answers import asked
from ucoder.evaluator.sample_judging import judged, programs_of
from ucoder.evaluator.selection_probe import Probing
from ucoder.models import SamplingParameters, model_of
from ucoder.runtime.context import ServiceContext
from ucoder.v1 import (
    config_pb2,
    evaluator_pb2,
    evaluator_pb2_grpc,
)

NAME = evaluator_pb2.DESCRIPTOR.services_by_name["EvaluatorService"].full_name
REGISTER = evaluator_pb2_grpc.add_EvaluatorServiceServicer_to_server


class Service(evaluator_pb2_grpc.EvaluatorServiceServicer):
    """Scores, from a served model or from samples made elsewhere."""

    def __init__(self, context: ServiceContext) -> None:
        self.model = model_of(context)
        self.artifacts = context.artifacts
        self._peers = context.peers

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        yield cls(context)

    def judge(self, limits: config_pb2.ExecutionConfig | None = None) -> AnswerJudge:
        """The sandbox, asked for right and wrong."""
        return AnswerJudge(self._peers.sandbox.Execute, limits)

    def probing(self, judge: AnswerJudge, config: config_pb2.RunConfig) -> Probing:
        """What measures a run's tests and selection on tasks whose truth is known."""
        return Probing(self._peers.test_synth, self._peers.consensus, judge, config)

    async def Evaluate(  # noqa: N802
        self, request: evaluator_pb2.EvaluateRequest, context: object
    ) -> AsyncIterator[evaluator_pb2.EvaluateResponse]:
        """Each task as soon as it is judged, then the scores of the benchmark."""
        tasks = load(request.benchmark, request.format)
        if request.WhichOneof("source") == "samples":
            programs = programs_of(tasks, request.samples.samples, sanitize=request.sanitize)
            coming = judged(self.judge(), tasks, programs)
        elif request.model and request.profile and request.HasField("config"):
            config = request.config
            coming = asked(
                self.model, self.judge(), tasks, request.model, request.profile, SamplingParameters.of(config.sampling),
                samples=config.samples, cool_samples=config.cool_samples,
                cool=SamplingParameters.of(config.sampling, temperature=config.cool_temperature),
            )  # fmt: skip
        else:
            raise Reject("source: give samples, or a model with profile and config.")
        found = {}
        async with contextlib.aclosing(coming):
            async for answers in coming:
                found[answers.task.task_id] = answers
                yield evaluator_pb2.EvaluateResponse(task=result(answers))
        for score in scores("benchmark", [found[task.task_id] for task in tasks]):
            yield evaluator_pb2.EvaluateResponse(score=score)


def result(answers: Answers) -> evaluator_pb2.TaskResult:
    """What became of one task, as it travels."""
    return evaluator_pb2.TaskResult(
        task_id=answers.task.task_id,
        samples=[_sample(one) for one in answers.sampled],
        greedy=_sample(answers.greedy[0]) if answers.greedy else None,
    )


def _sample(one: Judged) -> evaluator_pb2.SampleResult:
    return evaluator_pb2.SampleResult(passed=one.right, result=one.result, program=one.program)
