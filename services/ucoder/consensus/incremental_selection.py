"""One selection that can be answered at any moment from the rows so far, and the decision whether to stop early."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ucoder.consensus.matrix_messages import OUTCOMES, matrix_of
from ucoder.consensus.verdict_messages import selection_config, strategy_of, verdict_of
from ucoder.core.matrix import Matrix
from ucoder.core.outcomes import Outcome
from ucoder.core.selection.convergence import EarlyStop, WinnerForecast, forecast_winner
from ucoder.core.selection.evidence import EvidenceOptions
from ucoder.core.selection.reasons import explanation, reason_of
from ucoder.core.selection.strategy import AbstentionReason
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

CERTAIN = WinnerForecast(settled=True, change_probability=0.0)
UNKNOWN = WinnerForecast(settled=False, change_probability=1.0)


@dataclass(frozen=True, slots=True)
class IncrementalSelection:
    """A request, with the tests on which its programs are executed."""

    request: consensus_pb2.SelectRequest
    tests: Sequence[pb.TestCase]
    entry_point: str
    synthesis_seconds: float

    def answer(self, rows: Sequence[pb.Row], execution_seconds: float, late: bool) -> consensus_pb2.SelectResponse:
        """Returns the answer from these rows. `late` says that the caller's time is over.

        `stopped` is set when the answer should be given although programs have not finished: because the rest cannot
        change it, or only with an accepted probability, or because it is late.
        """
        started = time.perf_counter()
        request, total = self.request, len(self.request.programs)
        ordered = sorted(rows, key=lambda row: row.program)
        matrix = matrix_of(ordered, self.tests, request.mean_log_probs, request.programs, request.prompt)
        config = selection_config(request)
        verdict = verdict_of(matrix, config, ordered, self.tests, request.theorem_bound)
        forecast, stopped = CERTAIN, ""
        if len(ordered) < total:
            forecast = forecast_of(matrix, total, config)
            if forecast.settled or forecast.change_probability <= request.max_change:
                stopped = EarlyStop.SETTLED
            elif late:
                stopped = EarlyStop.PARTIAL
        reasons = [reason_of(request.programs[row.program], *_ends(row), self.entry_point) for row in ordered]
        stuck = verdict.abstained and verdict.reason == AbstentionReason.NOTHING_ELIGIBLE
        return consensus_pb2.SelectResponse(
            verdict=verdict,
            reasons=[
                consensus_pb2.ProgramReason(program=row.program, cause=reason.cause, words=reason.words)
                for row, reason in zip(ordered, reasons, strict=True)
                if reason
            ],
            explanation=explanation(reasons) if stuck else "",
            tests=self.tests,
            finished=len(ordered),
            stopped=stopped,
            change=forecast.change_probability,
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


def _ends(row: pb.Row) -> tuple[list[Outcome], list[str | None]]:
    """Returns the outcomes and outputs of a row as the core knows them."""
    return [OUTCOMES[code] for code in row.outcomes], [text or None for text in row.outputs]


def forecast_of(matrix: Matrix, total: int, config: config_pb2.SelectionConfig) -> WinnerForecast:
    """Forecasts whether the programs still to come, of `total`, can change the winner.

    Only the default strategy can be forecast. For any other the forecast is unknown.
    """
    _, options = strategy_of(config)
    return forecast_winner(matrix, total, options) if isinstance(options, EvidenceOptions) else UNKNOWN
