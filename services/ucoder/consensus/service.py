"""ConsensusService: the call other systems make."""

import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from ucoder.consensus.matrices import matrix_of
from ucoder.consensus.verdicts import choose, verdict_of
from ucoder.runtime.errors import Reject
from ucoder.runtime.world import World
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, consensus_pb2_grpc, sandbox_pb2, sandbox_pb2_grpc

NAME = consensus_pb2.DESCRIPTOR.services_by_name["ConsensusService"].full_name
REGISTER = consensus_pb2_grpc.add_ConsensusServiceServicer_to_server
DEFAULTS = config_pb2.SelectionConfig(strategy="default")


class Service(consensus_pb2_grpc.ConsensusServiceServicer):
    """Selection, with its evidence."""

    def __init__(self, world: World) -> None:
        self.artifacts = world.artifacts
        self.bus = world.bus
        self._world = world

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, world: World) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        yield cls(world)

    async def Select(  # noqa: N802
        self, request: consensus_pb2.SelectRequest, context: object
    ) -> consensus_pb2.SelectResponse:
        """Executes and selects."""
        if not request.tests:
            raise Reject("tests: none given; send calls such as `f(1)` as inputs, or asserts.")
        started = time.perf_counter()
        call = sandbox_pb2.ExecuteRequest(
            programs=request.programs,
            tests=request.tests,
            entry_point=request.entry_point,
            language=request.language,
            limits=request.limits if request.HasField("limits") else None,
        )
        sandbox = self._world.stub(sandbox_pb2_grpc.SandboxServiceStub, "sandbox_runner")
        rows = [answer.row async for answer in sandbox.Execute(call)]
        executed = time.perf_counter()
        verdict = self._verdict(rows, request.tests, request.mean_log_probs, request.programs, request)
        return consensus_pb2.SelectResponse(
            verdict=verdict,
            execution_seconds=executed - started,
            selection_seconds=time.perf_counter() - executed,
            tests=request.tests,
        )

    async def Cluster(  # noqa: N802
        self, request: consensus_pb2.ClusterRequest, context: object
    ) -> consensus_pb2.ClusterResponse:
        """Selects from a finished matrix."""
        verdict = self._verdict(request.rows, request.tests, request.mean_log_probs, request.programs, request)
        return consensus_pb2.ClusterResponse(verdict=verdict)

    def _verdict(
        self,
        rows: Sequence[pb.Row],
        tests: Sequence[pb.TestCase],
        log_probs: Sequence[float],
        programs: Sequence[str],
        request: consensus_pb2.SelectRequest | consensus_pb2.ClusterRequest,
    ) -> consensus_pb2.Verdict:
        matrix = matrix_of(rows, tests, log_probs, programs)
        config = request.selection if request.HasField("selection") else DEFAULTS
        return verdict_of(choose(matrix, config), rows, tests)
