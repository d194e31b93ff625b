"""Adaptive sampling: samples programs in rounds and stops when another winner has become unlikely.

After each round the sandbox runs the new programs and the consensus service forecasts the winner. Sampling stops when
the forecast is at most `max_change` likely to change, when the budget is used up, or when a limit ends the iteration.
The i-th program depends on the brief's seed and i alone; only their number depends on what they do. Beyond `n`, it also
depends on what other problems of the iteration left over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc

from ucoder.errors import Overloaded, of_call
from ucoder.runtime.peers import Peers
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, sandbox_pb2

SANDBOX_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts at a sandbox without room; waiting is worth it, because the programs are sampled already."""


@dataclass
class SampledPrograms:
    """The result of adaptive sampling."""

    candidates: list[pb.Candidate] = field(default_factory=list)
    rows: list[pb.Row] = field(default_factory=list)
    """Test results of the first candidates, as far as they were executed."""
    undecided: bool = False
    """True when the budget ended the sampling before the winner was likely to stay."""


async def sample_adaptively(
    sample: Callable[[int, int], Awaitable[list[pb.Candidate]]],
    change_probability: Callable[[SampledPrograms, int], Awaitable[float]],
    grant: Callable[[int], Awaitable[bool]],
    iteration_ended: Callable[[], Awaitable[bool]],
    config: config_pb2.CandidateConfig,
) -> SampledPrograms:
    """Generates rounds until the winner is likely to stay, the budget is used up, or the iteration has ended.

    sample(first, count) returns candidates from the first-th on. change_probability(programs, total) executes the new
    candidates and returns the probability that the rest of `total` makes another cluster win. grant(count) returns
    whether so many may be sampled beyond the budget.
    """
    programs, budget, most = SampledPrograms(), config.n, max(config.n, config.most)
    while True:
        count = min(config.round, budget - len(programs.candidates))
        programs.candidates += await sample(len(programs.candidates), count)
        sampled = len(programs.candidates)
        if sampled >= most:
            programs.undecided = True
            return programs
        if await iteration_ended():
            return programs
        if await change_probability(programs, config.n if sampled < config.n else most) <= config.max_change:
            return programs
        if sampled >= budget:
            if sampled + config.round > most or not await grant(config.round):
                programs.undecided = True
                return programs
            budget += config.round


class WinnerForecasts:
    """Forecasts of the winner among one problem's candidates, from the sandbox and the consensus service."""

    def __init__(self, peers: Peers, tests: pb.Tests, config: config_pb2.RunConfig) -> None:
        self._peers, self._tests, self._config = peers, tests, config

    async def change_probability(self, programs: SampledPrograms, total: int) -> float:
        """Executes the candidates without a row; returns the probability that another cluster wins among `total`."""
        first = len(programs.rows)
        for row in await self._execute(programs.candidates[first:]):
            row.program += first
            programs.rows.append(row)
        answer = await self._peers.consensus.Cluster(
            consensus_pb2.ClusterRequest(
                rows=programs.rows,
                tests=self._tests.tests,
                mean_log_probs=[candidate.mean_log_prob for candidate in programs.candidates],
                programs=[candidate.program for candidate in programs.candidates],
                selection=self._config.selection,
                total=total,
            )
        )
        return answer.change

    async def _execute(self, candidates: Sequence[pb.Candidate]) -> list[pb.Row]:
        """Returns a row for each candidate, in order; waits for a sandbox that has no room."""
        request = sandbox_pb2.ExecuteRequest(
            programs=[candidate.program for candidate in candidates],
            tests=self._tests.tests,
            entry_point=self._tests.problem.entry_point,
            limits=self._config.execution,
            check_determinism=self._config.execution.check_determinism,
        )
        for pause in (*SANDBOX_PAUSES, None):
            try:
                rows = [answer.row async for answer in self._peers.sandbox.Execute(request)]
                return sorted(rows, key=lambda row: row.program)
            except grpc.aio.AioRpcError as error:
                if pause is None or not isinstance(of_call(error), Overloaded):
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")
