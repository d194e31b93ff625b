"""Whether a problem is new in a run: claimed in the store by create-only keys, so of two alike exactly one is posed."""

import json
from typing import Protocol

from ucoder.core.near_duplicates import jaccard, minhash_bands, shingles
from ucoder.core.problem_parsing import Statement
from ucoder.errors import NotFound


class NoveltyClaims(Protocol):
    """Create-only keys: the store of a run, or `ClaimsInMemory` for one call."""

    async def create(self, key: str, data: bytes) -> bool: ...
    async def get(self, key: str) -> bytes: ...


class ClaimsInMemory:
    """Claims of this process alone."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}

    async def create(self, key: str, data: bytes) -> bool:
        """Whether nothing was there."""
        new = key not in self._keys
        self._keys.setdefault(key, data)
        return new

    async def get(self, key: str) -> bytes:
        """What is there; NotFound when nothing is."""
        if key not in self._keys:
            raise NotFound(f"no {key}.")
        return self._keys[key]


class Novelty:
    """The claims of one run."""

    def __init__(self, claims: NoveltyClaims, run: str, threshold: float) -> None:
        """threshold: Jaccard index from which two problems are the same; 1 compares equal texts alone."""
        self._claims, self._run, self._threshold = claims, run, threshold

    async def claim(self, statement: Statement, owner: str) -> tuple[str, str]:
        """Claims a problem for a brief: ("", "") when it is new, else the reason and who has one like it.

        Reasons: duplicate (same words), near_duplicate. A brief meets no obstacle in its own claims, so a redelivered
        one claims the same again. Everybody goes through the bands in one order and looks at what stands in each before
        adding himself: of two alike, the second to reach the first band that they share finds the first.
        """
        key = f"{self._run}/fingerprint/{statement.fingerprint}"
        taken = not await self._claims.create(key, owner.encode())
        if taken and (other := (await self._claims.get(key)).decode()) != owner:
            return "duplicate", other
        if self._threshold >= 1:
            return "", ""
        mine = shingles(statement.asked)
        data = json.dumps({"owner": owner, "asked": statement.asked}).encode()
        for band in minhash_bands(mine):
            number = 0
            while not await self._claims.create(f"{self._run}/near/{band}/{number}", data):
                there = json.loads(await self._claims.get(f"{self._run}/near/{band}/{number}"))
                if there["owner"] == owner and there["asked"] == statement.asked:
                    break
                if there["owner"] != owner and jaccard(mine, shingles(there["asked"])) >= self._threshold:
                    return "near_duplicate", str(there["owner"])
                number += 1
        return "", ""
