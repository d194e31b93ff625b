"""The values of the running counts: each brief counts once, and the bits are sets of numbers."""

import random

from ucoder.runtime.messaging.count_chunks import CHUNK, MADE, SPENT, Briefs, Chunk, ending_key
from ucoder.v1 import artifacts_pb2 as pb


def test_a_chunk_counts_each_brief_once_and_survives_its_encoding() -> None:
    chunk = Chunk()
    assert chunk.add(MADE, 9, {"made": 1, "selected": 1})
    assert not chunk.add(MADE, 9, {"made": 1, "selected": 1})
    assert chunk.add(SPENT, 9, {"tokens": 70})
    assert chunk.add(MADE, CHUNK - 1, {"made": 1})
    again = Chunk.decode(chunk.encode())
    assert again == chunk
    assert again.sums == {"made": 2, "selected": 1, "tokens": 70}
    assert not again.add(MADE, CHUNK - 1, {"made": 1})


def test_a_full_chunk_is_small() -> None:
    chunk, places = Chunk(), list(range(CHUNK))
    random.Random(1).shuffle(places)
    for place in places[: CHUNK // 2]:
        chunk.add(MADE, place, {"made": 1})
    assert len(chunk.encode()) < CHUNK // 8 + 200, "half full in any order: one bit for each brief"
    for place in places:
        chunk.add(MADE, place, {"made": 1})
    assert len(chunk.encode()) < 200


def test_briefs_are_a_set_of_numbers() -> None:
    drawn = random.Random(2)
    one, other = ({drawn.randrange(3 * CHUNK) for _ in range(500)} for _ in range(2))

    def briefs(numbers: set[int]) -> Briefs:
        chunks: dict[int, Chunk] = {}
        for number in numbers:
            chunks.setdefault(number // CHUNK, Chunk()).add(MADE, number % CHUNK, {})
        return Briefs({number: bytes(chunk.bits[MADE]) for number, chunk in chunks.items()})

    found = briefs(one)
    assert list(found) == sorted(one)
    assert len(found) == len(one)
    assert set(found - briefs(other)) == one - other
    assert all((number in found) == (number in one) for number in range(0, 4 * CHUNK, 97))
    assert not briefs(set())


def test_every_ending_has_a_sum_of_its_own() -> None:
    assert ending_key(pb.Consensus(ending=pb.ENDING_SELECTED)) == "selected"
    assert ending_key(pb.Consensus(ending=pb.ENDING_ABSTAINED)) == "abstained"
    dropped = pb.Consensus(ending=pb.ENDING_DROPPED, stage="generator", reason="duplicate")
    assert ending_key(dropped) == "dropped:generator.duplicate"
