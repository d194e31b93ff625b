"""The ledger of each iteration's costs and results: small create-only entries in the store, summed by listing them.

An entry is a key, `<run>/ledger/<iteration>/<brief>.<item>.<amount>`. So one listing gives all sums, an entry that a
redelivered message writes again counts once, and there is no counter that a crash could leave wrong.
"""

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

from ucoder.runtime.storage.artifacts import SUFFIX
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb

REFRESH_SECONDS = 1.0
"""Totals younger than this are used again instead of a new listing."""
PAUSE_FACTOR = 4
"""Waits a multiple of the last listing time before it lists the ledger again: the ledger of a hundred thousand briefs
has half a million entries."""
LIMITS = ("pairs", "tokens", "seconds")
"""The limits that end an iteration before its briefs do; briefs not begun by then are dropped as `over_<limit>`."""
PAIRS, TOKENS, SPARE, PROGRAMS, DISTINCT, UNDECIDED = "pairs", "tokens", "spare", "programs", "distinct", "undecided"
_GRANT, _REACHED = "grant", "over"


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """The totals of one iteration's ledger."""

    sums: Counter[str]
    """Sums of the entries by item; items with a stage, such as `tokens-problem`, are also summed as `tokens`."""
    granted: int
    """Number of sampling rounds that were granted beyond a problem's own budget."""


class Ledger:
    """The ledgers of all runs in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._latest: dict[str, tuple[float, float, LedgerTotals]] = {}  # when the listing began and ended; its totals
        self._listing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._reached: dict[str, str] = {}
        self._started: dict[str, float] = {}

    async def record(self, brief: pb.Brief, amounts: dict[str, int]) -> None:
        """Writes what a brief spent or produced; amounts of 0 are left out.

        An item is one word, or one word and a stage: `tokens-problem`.
        """
        for item, amount in amounts.items():
            if amount:
                key = f"{_prefix(brief.run, brief.iteration)}/{brief.number:06d}.{item}.{amount}"
                await self._store.create(key, b"")

    async def totals(self, run: str, iteration: int) -> LedgerTotals:
        """Lists the entries that exist now and returns their totals."""
        amounts: dict[tuple[str, str], int] = {}
        granted = 0
        for key in await self._store.keys(_prefix(run, iteration)):
            first, *rest = key.rsplit("/", 1)[-1].split(".")
            if first == _GRANT:
                granted += 1
            elif len(rest) == 2:
                amounts[first, rest[0]] = int(rest[1])
        sums: Counter[str] = Counter()
        for (_, item), amount in amounts.items():
            sums[item] += amount
            if "-" in item:
                sums[item.split("-")[0]] += amount
        return LedgerTotals(sums, granted)

    async def grant_spare(self, run: str, iteration: int, size: int) -> bool:
        """Takes `size` of the programs that decided problems did not need; returns False when too few are left.

        The k-th grant is one create-only key and needs (k + 1) x `size` spare programs, so two callers never take the
        same programs. A grant whose caller crashes is lost, never taken twice.
        """
        now = time.monotonic()
        for since, must_be_fresh in ((now - REFRESH_SECONDS, False), (now, True)):
            totals = await self._totals_since(run, iteration, since, must_be_fresh=must_be_fresh)
            number = totals.granted
            while (number + 1) * size <= totals.sums[SPARE]:
                if await self._store.create(f"{_prefix(run, iteration)}/{_GRANT}.{number:06d}", b""):
                    return True
                number += 1
        return False

    async def reached_limit(self, run: pb.Run, iteration: int, *, fresh: bool = False) -> str:
        """Returns the limit that has ended this iteration; the empty text while it goes on.

        The first limit that is found stays the iteration's limit for everybody. `fresh` reads the ledger as it is now,
        not as it was up to a second ago.
        """
        loop, prefix = run.config.loop, _prefix(run.id, iteration)
        if prefix in self._reached or not (loop.pairs or loop.tokens or loop.seconds):
            return self._reached.get(prefix, "")
        since = time.monotonic() - (0 if fresh else REFRESH_SECONDS)
        totals = await self._totals_since(run.id, iteration, since, must_be_fresh=fresh)
        reached = {
            "pairs": loop.pairs and totals.sums[PAIRS] >= loop.pairs,
            "tokens": loop.tokens and totals.sums[TOKENS] >= loop.tokens,
            "seconds": loop.seconds and time.time() - await self._start_time(run.id, iteration) >= loop.seconds,
        }
        first = next((limit for limit in LIMITS if reached[limit]), "")
        if first:
            key = f"{prefix}/{_REACHED}"
            await self._store.create(key, first.encode())
            self._reached[prefix] = (await self._store.get(key)).decode()
        return self._reached.get(prefix, "")

    async def _totals_since(self, run: str, iteration: int, since: float, *, must_be_fresh: bool) -> LedgerTotals:
        """Returns the totals as they were at the time `since` or later; concurrent callers share one listing.

        Without `must_be_fresh`, a caller gets older totals instead of waiting for a listing or for the pause after one.
        """
        prefix = _prefix(run, iteration)
        if not must_be_fresh and prefix in self._latest and self._listing[prefix].locked():
            return self._latest[prefix][2]
        async with self._listing[prefix]:
            began, ended, totals = self._latest.get(prefix, (0.0, 0.0, None))
            pause = ended + PAUSE_FACTOR * (ended - began) - time.monotonic()
            if totals is None or (began < since and (must_be_fresh or pause <= 0)):
                await asyncio.sleep(pause)
                began, totals = time.monotonic(), await self.totals(run, iteration)
                self._latest[prefix] = began, time.monotonic(), totals
            return totals

    async def _start_time(self, run: str, iteration: int) -> float:
        """Returns when the gate decided on the iteration, in seconds since the epoch."""
        prefix = _prefix(run, iteration)
        if prefix not in self._started:
            times = await self._store.written_times(f"{run}/iteration")
            self._started[prefix] = times.get(f"{run}/iteration/{iteration:03d}{SUFFIX}", time.time())
        return self._started[prefix]


def _prefix(run: str, iteration: int) -> str:
    return f"{run}/ledger/{iteration:03d}"


def reason_of_limit(limit: str) -> str:
    """Returns the reason with which briefs are dropped that did not start before a limit ended their iteration."""
    return f"over_{limit}"


def limit_of_reason(reason: str) -> str | None:
    """Returns the limit that a drop's reason names; None for every other reason."""
    return next((limit for limit in LIMITS if reason == reason_of_limit(limit)), None)
