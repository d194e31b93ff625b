"""The server of ConsensusService: executes programs in the sandbox service and selects among them."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from ucoder.consensus.execution import Execution
from ucoder.consensus.incremental_selection import IncrementalSelection, forecast_of
from ucoder.consensus.matrix_messages import matrix_of, ordered_rows, require_one_per_program
from ucoder.consensus.request_tests import tests_of_request
from ucoder.consensus.verdict_messages import selection_config, strategy_of, verdict_of
from ucoder.core.selection.reasons import without_fence
from ucoder.errors import Reject, Retry
from ucoder.runtime.authentication import CALLER
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.quotas import Quotas
from ucoder.v1 import consensus_pb2, consensus_pb2_grpc, sandbox_pb2

NAME = consensus_pb2.DESCRIPTOR.services_by_name["ConsensusService"].full_name
REGISTER = consensus_pb2_grpc.add_ConsensusServiceServicer_to_server
INTERVAL_SECONDS = 0.25
"""The least time between two interim selections. It grows when a selection itself takes long."""
RESERVED_SHARE = 0.1
"""The share of the time to the deadline that is kept for the selection when a partial answer is requested."""


class Service(consensus_pb2_grpc.ConsensusServiceServicer):
    """The consensus service: its gRPC methods, and what its two arrows need."""

    def __init__(self, context: ServiceContext, quotas: Quotas | None = None) -> None:
        self.artifacts = context.artifacts
        self.counts, self.ledger = context.counts, context.ledger
        self.sealing: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._context = context
        self._quotas = quotas or Quotas(context.settings.quota_programs_per_minute)

    async def Select(self, request: consensus_pb2.SelectRequest, context: Any) -> consensus_pb2.SelectResponse:
        """Executes the programs and returns the selection."""
        async with contextlib.aclosing(self._answers(request, context, interim=request.stop_early)) as answers:
            async for answer, final in answers:
                if final:
                    return answer
        raise Retry("the sandbox ended without an answer.")

    async def SelectStream(
        self, request: consensus_pb2.SelectStreamRequest, context: Any
    ) -> AsyncIterator[consensus_pb2.SelectStreamResponse]:
        """Executes the programs and yields a selection whenever more of them have finished."""
        async with contextlib.aclosing(self._answers(request.select, context, interim=True)) as answers:
            async for answer, final in answers:
                yield consensus_pb2.SelectStreamResponse(answer=answer, final=final)

    async def Cluster(self, request: consensus_pb2.ClusterRequest, context: Any) -> consensus_pb2.ClusterResponse:
        """Returns the selection from a finished matrix."""
        rows = ordered_rows(request.rows)
        require_one_per_program("mean_log_probs", request.mean_log_probs, len(rows))
        require_one_per_program("programs", request.programs, len(rows))
        config = selection_config(request)
        if request.total and request.total < len(rows):
            raise Reject(f"total: {request.total} for {len(rows)} rows.")

        def answer() -> consensus_pb2.ClusterResponse:
            matrix = matrix_of(rows, request.tests, request.mean_log_probs, request.programs)
            verdict = verdict_of(matrix, config, rows, request.tests, request.theorem_bound)
            unfinished = request.total > len(rows)
            change = forecast_of(matrix, request.total, config).change_probability if unfinished else 0.0
            return consensus_pb2.ClusterResponse(verdict=verdict, change=change)

        return await asyncio.to_thread(answer)

    async def _answers(
        self, request: consensus_pb2.SelectRequest, context: Any, interim: bool
    ) -> AsyncGenerator[tuple[consensus_pb2.SelectResponse, bool], None]:
        """Yields each answer, and whether it is the last one. Without `interim` there is only the last one."""
        strategy_of(selection_config(request))
        require_one_per_program("mean_log_probs", request.mean_log_probs, len(request.programs))
        self._quotas.take(CALLER.get(), len(set(request.programs)))
        if request.language in ("", "python"):
            request.programs[:] = [without_fence(program) for program in request.programs]
        selection = await asyncio.to_thread(_prepare, request)
        call = sandbox_pb2.ExecuteRequest(
            programs=request.programs,
            tests=selection.tests,
            entry_point=selection.entry_point,
            language=request.language,
            limits=request.limits if request.HasField("limits") else None,
        )
        started = time.perf_counter()
        limit = _execution_limit(request, context.time_remaining())
        interval, answered = INTERVAL_SECONDS, 0
        async with Execution.start(self._context.peers.sandbox, call) as execution:
            while True:
                spent = time.perf_counter() - started
                left = None if limit is None else max(0.0, limit - spent)
                ended = await execution.wait(left if not interim else interval if left is None else min(interval, left))
                rows = list(execution.rows)
                spent = time.perf_counter() - started
                late = limit is not None and spent >= limit
                if ended and len(rows) < len(request.programs):
                    raise Retry(f"the sandbox answered for {len(rows)} of {len(request.programs)} programs.")
                if not (ended or late or len(rows) > answered):
                    continue
                answer = await asyncio.to_thread(selection.answer, rows, spent, late)
                yield answer, bool(ended or answer.stopped)
                if ended or answer.stopped:
                    return
                answered = len(rows)
                interval = max(INTERVAL_SECONDS, 5 * answer.cost.selection_seconds)


def _prepare(request: consensus_pb2.SelectRequest) -> IncrementalSelection:
    """Returns the request with its tests. Raises NoInputs where there are none."""
    started = time.perf_counter()
    entry_point, tests = tests_of_request(request)
    synthesis_seconds = 0.0 if request.tests else time.perf_counter() - started
    return IncrementalSelection(request, tests, entry_point, synthesis_seconds)


def _execution_limit(request: consensus_pb2.SelectRequest, left: float | None) -> float | None:
    """Returns the seconds of execution after which a partial answer is due, or None where none was requested."""
    if not request.partial_seconds:
        return None
    return request.partial_seconds if left is None else min(request.partial_seconds, left * (1 - RESERVED_SHARE))
