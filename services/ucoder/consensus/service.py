"""ConsensusService: the call other systems make."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from ucoder.consensus.execution import Execution
from ucoder.consensus.incremental_selection import IncrementalSelection, outlook_of
from ucoder.consensus.input_tests import synthesise
from ucoder.consensus.matrix_messages import matrix_of, one_for_each, whole
from ucoder.consensus.quotas import Quota, Quotas
from ucoder.consensus.verdict_messages import DEFAULTS, choose, strategy_of, verdict_of
from ucoder.core.input_synthesis import MOST_PROGRAMS, entry_point_of, programs_to_read
from ucoder.errors import NoInputs, Reject, Retry
from ucoder.runtime.authentication import CALLER
from ucoder.runtime.context import ServiceContext
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc, sandbox_pb2, sandbox_pb2_grpc

NAME = consensus_pb2.DESCRIPTOR.services_by_name["ConsensusService"].full_name
REGISTER = consensus_pb2_grpc.add_ConsensusServiceServicer_to_server
LOOK_SECONDS = 0.25
"""Between two looks at what has finished; more where a look itself takes long."""
SPARED_SHARE = 0.1
"""Of the time that the caller leaves: kept for the selection itself when a partial answer is asked for."""


class Service(consensus_pb2_grpc.ConsensusServiceServicer):
    """Selection, with its evidence."""

    def __init__(self, context: ServiceContext, quota: Quota | None = None) -> None:
        self.artifacts = context.artifacts
        self.bus = context.bus
        self.ledger = context.ledger
        self._context = context
        self._quotas = Quotas(quota or Quota())

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, context: ServiceContext) -> AsyncIterator["Service"]:
        """The service for as long as the block runs."""
        yield cls(context, Quota(context.settings.quota_programs_per_minute))

    async def Select(self, request: consensus_pb2.SelectRequest, context: Any) -> consensus_pb2.SelectResponse:  # noqa: N802
        """Executes and selects."""
        async with contextlib.aclosing(self._answers(request, context, look=request.stop_early)) as answers:
            async for answer, final in answers:
                if final:
                    return answer
        raise Retry("the sandbox ended without an answer.")

    async def SelectStream(  # noqa: N802
        self, request: consensus_pb2.SelectStreamRequest, context: Any
    ) -> AsyncIterator[consensus_pb2.SelectStreamResponse]:
        """Executes, and answers whenever more is known."""
        async with contextlib.aclosing(self._answers(request.select, context, look=True)) as answers:
            async for answer, final in answers:
                yield consensus_pb2.SelectStreamResponse(answer=answer, final=final)

    async def Cluster(self, request: consensus_pb2.ClusterRequest, context: Any) -> consensus_pb2.ClusterResponse:  # noqa: N802
        """Selects from a finished matrix."""
        rows = whole(request.rows)
        one_for_each("mean_log_probs", request.mean_log_probs, len(rows))
        one_for_each("programs", request.programs, len(rows))
        config = request.selection if request.HasField("selection") else DEFAULTS

        if request.total and request.total < len(rows):
            raise Reject(f"total: {request.total} for {len(rows)} rows.")

        def answer() -> consensus_pb2.ClusterResponse:
            matrix = matrix_of(rows, request.tests, request.mean_log_probs, request.programs)
            verdict = verdict_of(choose(matrix, config), rows, request.tests)
            change = outlook_of(matrix, request.total, config).change_probability if request.total > len(rows) else 0.0
            return consensus_pb2.ClusterResponse(verdict=verdict, change=change)

        return await asyncio.to_thread(answer)

    async def _answers(
        self, request: consensus_pb2.SelectRequest, context: Any, look: bool
    ) -> AsyncGenerator[tuple[consensus_pb2.SelectResponse, bool], None]:
        """Answers so far, and whether it is the last; without `look` there is only the last."""
        strategy_of(request.selection if request.HasField("selection") else DEFAULTS)
        one_for_each("mean_log_probs", request.mean_log_probs, len(request.programs))
        self._quotas.take(CALLER.get(), len(set(request.programs)))
        inquiry = await asyncio.to_thread(_prepared, request)
        call = sandbox_pb2.ExecuteRequest(
            programs=request.programs,
            tests=inquiry.tests,
            entry_point=inquiry.entry_point,
            language=request.language,
            limits=request.limits if request.HasField("limits") else None,
        )
        sandbox = self._context.stub(sandbox_pb2_grpc.SandboxServiceStub, "sandbox_runner")
        started = time.perf_counter()
        patience = _patience(request, context.time_remaining())
        pause, seen = LOOK_SECONDS, 0
        async with Execution.start(sandbox, call) as execution:
            while True:
                spent = time.perf_counter() - started
                left = None if patience is None else max(0.0, patience - spent)
                ended = await execution.wait(left if not look else pause if left is None else min(pause, left))
                rows = list(execution.rows)
                spent = time.perf_counter() - started
                late = patience is not None and spent >= patience
                if ended and len(rows) < len(request.programs):
                    raise Retry(f"the sandbox answered for {len(rows)} of {len(request.programs)} programs.")
                if not (ended or late or len(rows) > seen):
                    continue
                answer = await asyncio.to_thread(inquiry.answer, rows, spent, late)
                yield answer, bool(ended or answer.stopped)
                if ended or answer.stopped:
                    return
                seen = len(rows)
                pause = max(LOOK_SECONDS, 5 * answer.cost.selection_seconds)


def _prepared(request: consensus_pb2.SelectRequest) -> IncrementalSelection:
    """The tests: the caller's own, or synthesised ones. Raises Reject where there are none to be had."""
    started = time.perf_counter()
    if request.tests:
        codes = [test.code for test in request.tests[:MOST_PROGRAMS]]
        entry_point = request.entry_point or entry_point_of(request.prompt, programs_to_read(request.programs), codes)
        return IncrementalSelection(request, request.tests, entry_point, 0.0)
    if request.language == "javascript":
        raise NoInputs("tests: none given; inputs can be made for Python only, send calls such as `f(1)`.")
    entry_point, tests = synthesise(
        request.prompt, request.programs, request.entry_point, inputs=request.inputs, seed=request.seed
    )
    cases = [pb.TestCase(code=test.code, count=test.count) for test in tests]
    return IncrementalSelection(request, cases, entry_point, time.perf_counter() - started)


def _patience(request: consensus_pb2.SelectRequest, left: float | None) -> float | None:
    """Seconds of execution after which a partial answer is due; None when only a whole one will do."""
    if not request.partial_seconds:
        return None
    return request.partial_seconds if left is None else min(request.partial_seconds, left * (1 - SPARED_SHARE))
