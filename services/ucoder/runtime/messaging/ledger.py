"""The ledger of each iteration's costs and results: sums that the bus keeps, one record for each brief and stage."""

import time
from collections import Counter
from dataclasses import dataclass

from ucoder.errors import NotFound
from ucoder.runtime.messaging.count_chunks import GRANTS, SPENT, STAGES
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.storage.artifacts import Artifacts, name_of
from ucoder.v1 import artifacts_pb2 as pb

REFRESH_SECONDS = 1.0
"""Totals younger than this are used again instead of a new reading."""
LIMITS = ("pairs", "tokens", "seconds")
"""The limits that end an iteration before its briefs do; briefs not begun by then are dropped as `over_<limit>`."""
PAIRS, TOKENS, SPARE, PROGRAMS, DISTINCT, UNDECIDED = "pairs", "tokens", "spare", "programs", "distinct", "undecided"
REPEATED = "repeated"
"""The item that counts the invented problems that were refused because the run had them already."""
_NO_ITEMS = ("made", "selected", "abstained")
"""Sums of a stage that count briefs and are no costs, as are those of drops, `dropped:stage.reason`."""


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """The totals of one iteration's ledger."""

    sums: Counter[str]
    """Sums by item; items with a stage, such as `tokens-problem`, are also summed as `tokens`."""
    granted: int
    """Number of sampling rounds that were granted beyond a problem's own budget."""


class Ledger:
    """The ledgers of all runs."""

    def __init__(self, counts: RunningCounts, artifacts: Artifacts) -> None:
        self._counts, self._artifacts = counts, artifacts
        self._latest: dict[tuple[str, int], tuple[float, LedgerTotals]] = {}  # when the reading began, and its totals
        self._reached: dict[tuple[str, int], str] = {}
        self._started: dict[tuple[str, int], float] = {}

    async def record(self, brief: pb.Brief, stage: str, amounts: dict[str, int]) -> None:
        """Records what a brief spent or produced at a stage, such as `problem`; a repeated record counts once.

        An item is one word, or one word and a stage: `tokens-problem`.
        """
        await self._counts.record(brief.run, name_of(brief), stage, amounts, SPENT)

    async def totals(self, run: str, iteration: int) -> LedgerTotals:
        """Returns the totals as they are now."""
        began = time.monotonic()
        sums: Counter[str] = Counter()
        for stage in STAGES[1:]:
            for item, amount in (await self._counts.sums(run, iteration, stage)).items():
                if item not in _NO_ITEMS and ":" not in item and amount:
                    sums[item] += amount
                    if "-" in item:
                        sums[item.split("-")[0]] += amount
        granted = (await self._counts.sums(run, iteration, GRANTS))[GRANTS]
        self._latest[run, iteration] = began, LedgerTotals(sums, granted)
        return self._latest[run, iteration][1]

    async def grant_spare(self, run: str, iteration: int, size: int) -> bool:
        """Takes `size` of the programs that decided problems did not need; returns False when too few are left.

        The k-th grant needs (k + 1) x `size` spare programs, so two callers never take the same programs. A grant whose
        caller crashes is lost, never taken twice.
        """
        for totals in (self._recent, self.totals):  # refused only after a fresh reading
            if await self._counts.take(run, iteration, size, (await totals(run, iteration)).sums[SPARE]):
                return True
        return False

    async def reached_limit(self, run: pb.Run, iteration: int, *, fresh: bool = False) -> str:
        """Returns the limit that has ended this iteration; the empty text while it goes on.

        The first limit that is found stays the iteration's limit for everybody. `fresh` reads the ledger as it is now,
        not as it was up to a second ago.
        """
        loop, key = run.config.loop, (run.id, iteration)
        if key in self._reached or not (loop.pairs or loop.tokens or loop.seconds):
            return self._reached.get(key, "")
        totals = await (self.totals if fresh else self._recent)(run.id, iteration)
        reached = {
            "pairs": loop.pairs and totals.sums[PAIRS] >= loop.pairs,
            "tokens": loop.tokens and totals.sums[TOKENS] >= loop.tokens,
            "seconds": loop.seconds and time.time() - await self._start_time(run.id, iteration) >= loop.seconds,
        }
        first = next((limit for limit in LIMITS if reached[limit]), "")
        if first:
            stored = f"{run.id}/ledger/{iteration:03d}/over"
            await self._artifacts.store.create(stored, first.encode())
            self._reached[key] = (await self._artifacts.store.get(stored)).decode()
        return self._reached.get(key, "")

    async def _recent(self, run: str, iteration: int) -> LedgerTotals:
        """Returns totals that are at most `REFRESH_SECONDS` old."""
        began, totals = self._latest.get((run, iteration), (0.0, None))
        if totals is None or began < time.monotonic() - REFRESH_SECONDS:
            return await self.totals(run, iteration)
        return totals

    async def _start_time(self, run: str, iteration: int) -> float:
        """Returns when the gate decided on the iteration, in seconds since the epoch."""
        key = (run, iteration)
        if key not in self._started:
            try:
                self._started[key] = await self._artifacts.written_at(run, "iteration", f"{iteration:03d}")
            except NotFound:
                return time.time()
        return self._started[key]


def reason_of_limit(limit: str) -> str:
    """Returns the reason with which briefs are dropped that did not start before a limit ended their iteration."""
    return f"over_{limit}"


def limit_of_reason(reason: str) -> str | None:
    """Returns the limit that a drop's reason names; None for every other reason."""
    return next((limit for limit in LIMITS if reason == reason_of_limit(limit)), None)
