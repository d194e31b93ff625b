"""Claims new problems by create-only keys in the store, so that of two similar ones exactly one is posed."""

import json
from dataclasses import dataclass

from ucoder.core.drop_reasons import DropReason
from ucoder.core.near_duplicates import jaccard, minhash_bands, shingles
from ucoder.core.problem_parsing import Statement
from ucoder.runtime.storage.store import Store


class ClaimsInMemory:
    """Create-only keys for one call, in place of the store of a run."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}

    async def create(self, key: str, data: bytes) -> bool:
        """Writes a key that does not exist yet; returns whether it did."""
        new = key not in self._keys
        self._keys.setdefault(key, data)
        return new

    async def get(self, key: str) -> bytes:
        """Returns the data of a key that exists."""
        return self._keys[key]


@dataclass(frozen=True, slots=True)
class EarlierProblem:
    """A similar problem that the run has already."""

    reason: DropReason
    """DUPLICATE for the same words, NEAR_DUPLICATE for similar ones."""
    owner: str
    """The brief that the earlier problem belongs to."""


class Novelty:
    """The claimed problems of one run."""

    def __init__(self, claims: Store | ClaimsInMemory, run: str, threshold: float) -> None:
        """`threshold`: Jaccard index from which two problems are the same; at 1 only equal texts are."""
        self._claims, self._run, self._threshold = claims, run, threshold

    async def claim(self, statement: Statement, owner: str) -> EarlierProblem | None:
        """Claims a problem for a brief; returns None when it is new, else the similar problem of another brief.

        A brief's own claims do not count, so a redelivered brief claims the same problem again. All callers go through
        the bands in the same order, and read the claims of a band before they add their own. So of two similar
        problems, the second to reach the first band that they share finds the other.
        """
        key = f"{self._run}/fingerprint/{statement.fingerprint}"
        taken = not await self._claims.create(key, owner.encode())
        if taken and (other := (await self._claims.get(key)).decode()) != owner:
            return EarlierProblem(DropReason.DUPLICATE, other)
        if self._threshold >= 1:
            return None
        own = shingles(statement.normal_text)
        data = json.dumps({"owner": owner, "asked": statement.normal_text}).encode()
        for band in minhash_bands(own):
            number = 0
            while not await self._claims.create(f"{self._run}/near/{band}/{number}", data):
                earlier = json.loads(await self._claims.get(f"{self._run}/near/{band}/{number}"))
                if earlier["owner"] == owner and earlier["asked"] == statement.normal_text:
                    break
                if earlier["owner"] != owner and jaccard(own, shingles(earlier["asked"])) >= self._threshold:
                    return EarlierProblem(DropReason.NEAR_DUPLICATE, str(earlier["owner"]))
                number += 1
        return None
