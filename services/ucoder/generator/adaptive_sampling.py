"""Adaptive sampling: programs in rounds, each executed and compared, until another winner has become unlikely.

The i-th program depends on the brief's seed and i alone; how many are drawn depends on what they do, and beyond `n` on
what other problems of the iteration left over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc

from ucoder.errors import Overloaded, of_call
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, consensus_pb2_grpc, sandbox_pb2, sandbox_pb2_grpc

FOLLOWED = frozenset({"default", "evidence"})
"""Strategies whose score tells how far it can still move; with another every problem gets its whole budget."""
PATIENCE = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts at a sandbox that has no room: programs that are drawn already are worth waiting for."""


@dataclass
class SampledPrograms:
    """What sampling came to. `undecided`: the budget ended it."""

    candidates: list[pb.Candidate] = field(default_factory=list)
    rows: list[pb.Row] = field(default_factory=list)
    """Of the first candidates, as far as they were executed."""
    undecided: bool = False


async def sample_adaptively(
    draw: Callable[[int, int], Awaitable[list[pb.Candidate]]],
    look: Callable[[SampledPrograms, int], Awaitable[float]],
    grant: Callable[[int], Awaitable[bool]],
    over: Callable[[], Awaitable[bool]],
    config: config_pb2.CandidateConfig,
) -> SampledPrograms:
    """Draws rounds until `look` finds a change unlikely, the budget ends, or the iteration is over.

    draw(first, count): candidates from the first-th on. look(so far, total): executes what is new; the probability that
    the rest of `total` would make another cluster win. grant(count): whether so many may be drawn beyond the budget.
    """
    done, budget, most = SampledPrograms(), config.n, max(config.n, config.most)
    while True:
        count = min(config.round, budget - len(done.candidates))
        done.candidates += await draw(len(done.candidates), count)
        drawn = len(done.candidates)
        if drawn >= most:
            done.undecided = True
            return done
        if await over():
            return done
        if await look(done, config.n if drawn < config.n else most) <= config.max_change:
            return done
        if drawn >= budget:
            if drawn + config.round > most or not await grant(config.round):
                done.undecided = True
                return done
            budget += config.round


class InterimSelection:
    """Looks at the candidates of one problem: the sandbox runs them, the consensus service says what follows."""

    def __init__(
        self,
        sandbox: "sandbox_pb2_grpc.SandboxServiceAsyncStub",
        consensus: "consensus_pb2_grpc.ConsensusServiceAsyncStub",
        tests: pb.Tests,
        config: config_pb2.RunConfig,
    ) -> None:
        self._sandbox, self._consensus, self._tests, self._config = sandbox, consensus, tests, config

    async def look(self, done: SampledPrograms, total: int) -> float:
        """Executes the candidates without a row; the probability that another cluster wins among `total`."""
        first = len(done.rows)
        for row in await self._execute(done.candidates[first:]):
            row.program += first
            done.rows.append(row)
        answer = await self._consensus.Cluster(
            consensus_pb2.ClusterRequest(
                rows=done.rows,
                tests=self._tests.tests,
                mean_log_probs=[one.mean_log_prob for one in done.candidates],
                programs=[one.program for one in done.candidates],
                selection=self._config.selection,
                total=total,
            )
        )
        return answer.change

    async def _execute(self, candidates: Sequence[pb.Candidate]) -> list[pb.Row]:
        request = sandbox_pb2.ExecuteRequest(
            programs=[one.program for one in candidates],
            tests=self._tests.tests,
            entry_point=self._tests.problem.entry_point,
            limits=self._config.execution,
            check_determinism=self._config.execution.check_determinism,
        )
        for seconds in (*PATIENCE, None):
            try:
                rows = [answer.row async for answer in self._sandbox.Execute(request)]
                return sorted(rows, key=lambda row: row.program)
            except grpc.aio.AioRpcError as error:
                if seconds is None or not isinstance(of_call(error), Overloaded):
                    raise
                await asyncio.sleep(seconds)
        raise AssertionError("the last attempt returns or raises")
