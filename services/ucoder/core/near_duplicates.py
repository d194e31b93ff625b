"""Problems that say the same in other words: MinHash bands to find them, the exact Jaccard index to decide.

Our own few lines: datasketch would bring scipy, and its index lives in one process or a database, while ours must be a
create-only key of the store that all services of a run share.
"""

import hashlib
import re
from collections.abc import Iterable

import numpy as np

WORDS = 3  # of one shingle
BANDS, ROWS = 8, 4
"""Pairs with Jaccard index j share a band with probability 1 - (1 - j^4)^8: 0.89 at 0.7, 0.985 at 0.8."""
_PRIME = (1 << 31) - 1
_A, _B = np.random.default_rng(1997).integers(1, _PRIME, (2, BANDS * ROWS), dtype=np.uint64)  # Broder's year


def shingles(text: str) -> frozenset[str]:
    """Runs of three words, case and punctuation aside; the whole of a text that is shorter."""
    words = re.findall(r"\w+", text.lower())
    return frozenset(" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Common shingles over all shingles of two texts."""
    return len(one & other) / max(1, len(one | other))


def minhash_bands(of: Iterable[str]) -> list[str]:
    """A key for each band of the MinHash signature (Broder 1997): similar sets share some, always in this order."""
    hashed = np.array(
        [int.from_bytes(hashlib.blake2b(s.encode(), digest_size=4).digest()) for s in of], dtype=np.uint64
    )
    signature = ((hashed[:, None] % _PRIME * _A + _B) % _PRIME).min(axis=0)
    parts = signature.reshape(BANDS, ROWS)
    return [f"{i}-{hashlib.sha256(part.tobytes()).hexdigest()[:16]}" for i, part in enumerate(parts)]
