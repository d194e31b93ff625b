"""EvaluatorService, and what its arrow uses."""

import contextlib
from collections.abc import AsyncIterator

from ucoder.evaluator.benchmarks import load
from ucoder.evaluator.judging import Judge
from ucoder.evaluator.measuring import measure
from ucoder.evaluator.samples import score_samples
from ucoder.runtime.errors import Reject
from ucoder.runtime.world import World
from ucoder.v1 import config_pb2, evaluator_pb2, evaluator_pb2_grpc, sandbox_pb2_grpc

NAME = evaluator_pb2.DESCRIPTOR.services_by_name["EvaluatorService"].full_name
REGISTER = evaluator_pb2_grpc.add_EvaluatorServiceServicer_to_server


class Service(evaluator_pb2_grpc.EvaluatorServiceServicer):
    """Scores, from a served model or from samples made elsewhere."""

    def __init__(self, world: World) -> None:
        self.model = world.model()
        self.artifacts = world.artifacts
        self._world = world

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, world: World) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        yield cls(world)

    def judge(self, limits: config_pb2.ExecutionConfig | None = None) -> Judge:
        """The sandbox, asked for right and wrong."""
        return Judge(self._world.stub(sandbox_pb2_grpc.SandboxServiceStub, "sandbox_runner").Execute, limits)

    async def Evaluate(  # noqa: N802
        self, request: evaluator_pb2.EvaluateRequest, context: object
    ) -> AsyncIterator[evaluator_pb2.EvaluateResponse]:
        """The scores of one benchmark."""
        tasks = load(request.benchmark)
        if request.WhichOneof("source") == "samples":
            scores = await score_samples(self.judge(), tasks, request.samples.samples)
        elif request.model and request.profile and request.HasField("config"):
            measured = await measure(
                self.model, self.judge(), tasks, request.model, request.profile, request.config,
                label="benchmark", samples=request.config.samples,
            )  # fmt: skip
            scores = measured.scores
        else:
            raise Reject("source: give samples, or a model with profile and config.")
        for score in scores:
            yield evaluator_pb2.EvaluateResponse(score=score)
