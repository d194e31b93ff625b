"""Which compositions the corpus may show. Decided by hashing names, so every program agrees without a list."""

from hashlib import sha256
from itertools import pairwise

HELD_OUT_SHARE = 0.12


def pair_is_held_out(first: str, second: str) -> bool:
    """True for the 12% of ordered operation pairs that no corpus solution contains."""
    digest = sha256(f"{first} {second}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def is_held_out(composition: tuple[str, ...]) -> bool:
    """True where some two neighbouring steps are a held-out pair."""
    return any(pair_is_held_out(*pair) for pair in pairwise(composition))
