"""The values of the running counts: sums, and one bit for each brief that is part of them."""

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from ucoder.flow import BRIEF_KINDS, KINDS
from ucoder.v1 import artifacts_pb2 as pb

CHUNK = 1 << 16
"""Briefs in one value."""
STAGES: tuple[str, ...] = (*(kind for kind in KINDS if kind in BRIEF_KINDS), "consensus")
"""The stages that are counted: the kinds of artefact that a brief becomes."""
MADE, SPENT = "made", "spent"
"""The two things that a stage records once for each brief: that it made its artefact, and what it spent."""
GRANTS = "grants"
"""The key, and the sum in it, of the grants that problems took beyond their own budget of programs."""
DROPPED = "dropped:"
"""The beginning of the names of the sums that count drops, before `<stage>.<reason>`."""


def ending_key(ended: pb.Consensus) -> str:
    """Returns the name of the sum that counts an ending: `selected`, `abstained` or `dropped:<stage>.<reason>`."""
    if ended.ending == pb.ENDING_DROPPED:
        return f"{DROPPED}{ended.stage}.{ended.reason}"
    return pb.Ending.Name(ended.ending).removeprefix("ENDING_").lower()


@dataclass
class Chunk:
    """The value of one key: sums by name, and for each thing that is recorded the bits of the briefs counted in it."""

    sums: Counter[str] = field(default_factory=Counter)
    bits: dict[str, bytearray] = field(default_factory=dict)

    def add(self, what: str, place: int, amounts: Mapping[str, int]) -> bool:
        """Adds amounts for the brief at a place of the chunk; returns False when they are counted already."""
        bits = self.bits.setdefault(what, bytearray())
        if len(bits) <= place >> 3:
            bits.extend(bytes((place >> 3) + 1 - len(bits)))
        mask = 1 << (place & 7)
        if bits[place >> 3] & mask:
            return False
        bits[place >> 3] |= mask
        self.sums.update(amounts)
        return True

    def encode(self) -> bytes:
        """Returns the compressed bytes: a line of JSON, then the bits."""
        head = {"sums": self.sums, "bits": {what: len(bits) for what, bits in self.bits.items()}}
        return zlib.compress(json.dumps(head).encode() + b"\n" + b"".join(self.bits.values()), 1)

    @classmethod
    def decode(cls, data: bytes) -> "Chunk":
        """Returns the chunk that `encode` wrote."""
        line, _, rest = zlib.decompress(data).partition(b"\n")
        head, bits = json.loads(line), {}
        for what, length in head["bits"].items():
            bits[what], rest = bytearray(rest[:length]), rest[length:]
        return cls(Counter(head["sums"]), bits)


class Briefs(Set[int]):
    """A set of an iteration's briefs by number, one bit for each."""

    def __init__(self, chunks: Mapping[int, bytes]) -> None:
        self._chunks = chunks

    def __contains__(self, number: object) -> bool:
        assert isinstance(number, int)
        bits, place = self._chunks.get(number // CHUNK, b""), number % CHUNK
        return len(bits) > place >> 3 and bool(bits[place >> 3] >> (place & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        for chunk, bits in sorted(self._chunks.items()):
            for at, byte in enumerate(bits):
                if byte:
                    yield from (chunk * CHUNK + at * 8 + place for place in range(8) if byte >> place & 1)

    def __len__(self) -> int:
        return sum(int.from_bytes(bits).bit_count() for bits in self._chunks.values())

    def __sub__(self, others: Set[Any]) -> "Briefs":
        assert isinstance(others, Briefs)
        return Briefs({
            chunk: (int.from_bytes(bits, "little") & ~int.from_bytes(others._chunks.get(chunk, b""), "little"))
            .to_bytes(len(bits), "little")
            for chunk, bits in self._chunks.items()
        })  # fmt: skip
