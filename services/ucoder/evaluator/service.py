"""EvaluatorService, and what its arrow uses."""

import contextlib
from collections.abc import AsyncIterator

from ucoder.errors import Reject
from ucoder.evaluator.answer_judging import AnswerJudge, JudgedProgram
from ucoder.evaluator.benchmark_scores import benchmark_scores
from ucoder.evaluator.benchmarks import load_benchmark
from ucoder.evaluator.selection_probe import SelectionProbe
from ucoder.evaluator.task_answers import ModelSampling, judge_programs, programs_of_samples
from ucoder.models import model_of
from ucoder.runtime.context import ServiceContext
from ucoder.v1 import config_pb2, evaluator_pb2, evaluator_pb2_grpc

NAME = evaluator_pb2.DESCRIPTOR.services_by_name["EvaluatorService"].full_name
REGISTER = evaluator_pb2_grpc.add_EvaluatorServiceServicer_to_server


class Service(evaluator_pb2_grpc.EvaluatorServiceServicer):
    """The service that scores a served model, or samples that were made elsewhere."""

    def __init__(self, context: ServiceContext) -> None:
        self.model = model_of(context)
        self.artifacts = context.artifacts
        self._peers = context.peers

    def judge(self, limits: config_pb2.ExecutionConfig | None = None) -> AnswerJudge:
        """Returns a judge that runs programs in the sandbox service."""
        return AnswerJudge(self._peers.sandbox.Execute, limits)

    def probe(self, judge: AnswerJudge, config: config_pb2.RunConfig) -> SelectionProbe:
        """Returns the probe of a run's tests and selection."""
        return SelectionProbe(self._peers.test_synth, self._peers.consensus, judge, config)

    async def Evaluate(
        self, request: evaluator_pb2.EvaluateRequest, context: object
    ) -> AsyncIterator[evaluator_pb2.EvaluateResponse]:
        """Yields each task as soon as it is judged, then the scores of the benchmark."""
        tasks = load_benchmark(request.benchmark, request.format)
        if request.WhichOneof("source") == "samples":
            programs = programs_of_samples(tasks, request.samples.samples, sanitize=request.sanitize)
            answers = judge_programs(self.judge(), tasks, programs)
        elif request.model and request.profile and request.HasField("config"):
            sampling = ModelSampling.of(self.model, request.model, request.profile, request.config)
            answers = sampling.answers(self.judge(), tasks)
        else:
            raise Reject("source: give samples, or a model with profile and config.")
        by_task = {}
        async with contextlib.aclosing(answers):
            async for answered in answers:
                by_task[answered.task.task_id] = answered
                task = evaluator_pb2.TaskResult(
                    task_id=answered.task.task_id,
                    samples=map(_sample_result, answered.sampled),
                    greedy=_sample_result(answered.greedy[0]) if answered.greedy else None,
                )
                yield evaluator_pb2.EvaluateResponse(task=task)
        for score in benchmark_scores("benchmark", [by_task[task.task_id] for task in tasks]):
            yield evaluator_pb2.EvaluateResponse(score=score)


def _sample_result(judged: JudgedProgram) -> evaluator_pb2.SampleResult:
    return evaluator_pb2.SampleResult(passed=judged.right, result=judged.result, program=judged.program)
