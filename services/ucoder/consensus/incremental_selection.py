"""One question, answerable at any moment from the rows that are there: how sure, and could the rest change it?"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ucoder.consensus.matrix_messages import matrix_of
from ucoder.consensus.verdict_messages import DEFAULTS, choose, strategy_of, verdict_of
from ucoder.core.matrix import Matrix
from ucoder.core.selection.convergence import EarlyStop, WinnerForecast, forecast_winner
from ucoder.core.selection.evidence import EvidenceOptions
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

UNKNOWN = WinnerForecast(settled=False, change_probability=1.0)


@dataclass(frozen=True, slots=True)
class IncrementalSelection:
    """A request with the tests that are run for it."""

    request: consensus_pb2.SelectRequest
    tests: Sequence[pb.TestCase]
    entry_point: str
    synthesis_seconds: float

    def answer(self, rows: Sequence[pb.Row], execution_seconds: float, late: bool) -> consensus_pb2.SelectResponse:
        """What is known from these rows; `stopped` is set where it is the answer although programs are unfinished."""
        started = time.perf_counter()
        request = self.request
        ordered = sorted(rows, key=lambda row: row.program)
        matrix = matrix_of(ordered, self.tests, request.mean_log_probs, request.programs, request.prompt)
        config = request.selection if request.HasField("selection") else DEFAULTS
        verdict = verdict_of(choose(matrix, config), ordered, self.tests)
        unfinished = len(ordered) < len(request.programs)
        seen = (
            outlook_of(matrix, len(request.programs), config)
            if unfinished
            else WinnerForecast(settled=True, change_probability=0.0)
        )
        calm = seen.settled or seen.change_probability <= request.max_change
        return consensus_pb2.SelectResponse(
            verdict=verdict,
            tests=self.tests,
            finished=len(ordered),
            stopped="" if not unfinished else EarlyStop.SETTLED if calm else EarlyStop.PARTIAL if late else "",
            change=seen.change_probability,
            entry_point=self.entry_point,
            cost=self._cost(ordered, execution_seconds, time.perf_counter() - started),
        )

    def _cost(self, rows: Sequence[pb.Row], execution_seconds: float, selection_seconds: float) -> consensus_pb2.Cost:
        programs = self.request.programs
        distinct = {programs[row.program]: row for row in rows}
        return consensus_pb2.Cost(
            programs=len(distinct),
            duplicates=len(rows) - len(distinct),
            runs=len(distinct) * len(self.tests),
            synthesis_seconds=self.synthesis_seconds,
            execution_seconds=execution_seconds,
            selection_seconds=selection_seconds,
            program_seconds=sum(sum(row.seconds) for row in distinct.values()),
        )


def outlook_of(matrix: Matrix, total: int, config: config_pb2.SelectionConfig) -> WinnerForecast:
    """Whether the programs still to come, of `total`, can change the winner.

    Only the default strategy's score tells how far it can still move; of another nobody knows.
    """
    _, options = strategy_of(config)
    return forecast_winner(matrix, total, options) if isinstance(options, EvidenceOptions) else UNKNOWN
