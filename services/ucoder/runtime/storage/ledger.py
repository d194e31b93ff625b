"""What an iteration has spent and won so far: small create-only entries in the store, counted by listing them.

An entry is a key, `<run>/ledger/<iteration>/<brief>.<item>.<amount>`, so that one listing tells everything and an entry
that a redelivered message makes again counts once. Nobody holds a counter that a crash could leave wrong.
"""

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

from ucoder.runtime.storage.artifacts import SUFFIX
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb

LOOK_SECONDS = 1.0
"""A limit is looked at no more often than this."""
REST = 4
"""After a look at the books nobody here looks again for so many times as long as it took: of a hundred thousand briefs
they have half a million entries."""
LIMITS = ("pairs", "tokens", "seconds")
"""What may end an iteration before its briefs do, and how a brief that was not begun is dropped: `over_<limit>`."""
PAIRS, TOKENS, SPARE, PROGRAMS, DISTINCT, UNDECIDED = "pairs", "tokens", "spare", "programs", "distinct", "undecided"
_GRANT, _OVER = "grant", "over"


@dataclass(frozen=True, slots=True)
class Books:
    """Sums of an iteration's entries by item, and how many rounds were granted beyond a problem's own budget."""

    sums: Counter[str]
    granted: int


class Ledger:
    """The books of every run in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked: dict[str, tuple[float, float, Books]] = {}  # when it began, when it ended, what it found
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._over: dict[str, str] = {}
        self._begun: dict[str, float] = {}

    async def enter(self, brief: pb.Brief, amounts: dict[str, int]) -> None:
        """Writes what a brief spent or won; an amount of 0 is not worth an entry.

        An item is a word with at most a `-stage` behind it: `tokens-problem`.
        """
        for item, amount in amounts.items():
            if amount:
                await self._store.create(
                    f"{_place(brief.run, brief.iteration)}/{brief.number:06d}.{item}.{amount}", b""
                )

    async def books(self, run: str, iteration: int) -> Books:
        """All that is written down by now."""
        found: dict[tuple[str, str], int] = {}
        granted = 0
        for key in await self._store.keys(_place(run, iteration)):
            first, *rest = key.rsplit("/", 1)[-1].split(".")
            if first == _GRANT:
                granted += 1
            elif len(rest) == 2:
                found[first, rest[0]] = int(rest[1])
        sums: Counter[str] = Counter()
        for (_, item), amount in found.items():
            sums[item] += amount
            if "-" in item:
                sums[item.split("-")[0]] += amount
        return Books(sums, granted)

    async def grant(self, run: str, iteration: int, size: int) -> bool:
        """Takes `size` of the programs that decided problems left over; False when nothing is left.

        The k-th grant is one create-only key and needs (k + 1) x `size` spare programs, so two callers never take the
        same ones. What a caller took and died with is lost, never taken twice.
        """
        asked = time.monotonic()
        for since, patient in ((asked - LOOK_SECONDS, False), (asked, True)):
            books = await self._look(run, iteration, since, patient=patient)
            number = books.granted
            while (number + 1) * size <= books.sums[SPARE]:
                if await self._store.create(f"{_place(run, iteration)}/{_GRANT}.{number:06d}", b""):
                    return True
                number += 1
        return False

    async def over(self, run: pb.Run, iteration: int, *, fresh: bool = False) -> str:
        """The limit that has ended this iteration; empty while it goes on. The first one found stands for ever.

        `fresh` looks at the books as they are now, not as they were up to a second ago.
        """
        loop, place = run.config.loop, _place(run.id, iteration)
        if place in self._over or not (loop.pairs or loop.tokens or loop.seconds):
            return self._over.get(place, "")
        since = time.monotonic() - (0 if fresh else LOOK_SECONDS)
        books = await self._look(run.id, iteration, since, patient=fresh)
        reached = {
            "pairs": loop.pairs and books.sums[PAIRS] >= loop.pairs,
            "tokens": loop.tokens and books.sums[TOKENS] >= loop.tokens,
            "seconds": loop.seconds and time.time() - await self._begin(run.id, iteration) >= loop.seconds,
        }
        first = next((limit for limit in LIMITS if reached[limit]), "")
        if first:
            key = f"{place}/{_OVER}"
            await self._store.create(key, first.encode())
            self._over[place] = (await self._store.get(key)).decode()
        return self._over.get(place, "")

    async def _look(self, run: str, iteration: int, since: float, *, patient: bool) -> Books:
        """The books as they were at `since` or later; who waits for the same shares one look. Who is not patient gets
        older ones meanwhile."""
        place = _place(run, iteration)
        if not patient and place in self._looked and self._looking[place].locked():
            return self._looked[place][2]
        async with self._looking[place]:
            began, ended, books = self._looked.get(place, (0.0, 0.0, None))
            rest = ended + REST * (ended - began) - time.monotonic()
            if books is None or (began < since and (patient or rest <= 0)):
                await asyncio.sleep(rest)
                began, books = time.monotonic(), await self.books(run, iteration)
                self._looked[place] = began, time.monotonic(), books
            return books

    async def _begin(self, run: str, iteration: int) -> float:
        """When the iteration was decided on, in seconds since the epoch."""
        place = _place(run, iteration)
        if place not in self._begun:
            written = await self._store.written_times(f"{run}/iteration")
            self._begun[place] = written.get(f"{run}/iteration/{iteration:03d}{SUFFIX}", time.time())
        return self._begun[place]


def _place(run: str, iteration: int) -> str:
    return f"{run}/ledger/{iteration:03d}"


def reason_of_limit(limit: str) -> str:
    """Returns the reason with which briefs are dropped that did not start before a limit ended their iteration."""
    return f"over_{limit}"


def limit_of_reason(reason: str) -> str | None:
    """Returns the limit that a drop's reason names; None for every other reason."""
    return next((limit for limit in LIMITS if reason == reason_of_limit(limit)), None)
