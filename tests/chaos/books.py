"""After everything: did each brief end exactly once, and does every training row exist once?"""

import asyncio
import io
from dataclasses import dataclass

import pyarrow.parquet as pq
from tests.chaos.ground import RUN, Ground

from ucoder.flow import FLOW
from ucoder.runtime.messaging.bus import STREAM
from ucoder.v1 import artifacts_pb2 as pb


@dataclass(frozen=True, slots=True)
class Books:
    """How the run's briefs ended: name -> what is left of each, and the rows of the dataset by brief."""

    endings: dict[str, tuple[int, str, str]]
    rows: dict[str, str]
    collided: frozenset[str]
    """Briefs whose first invention another had made already: who comes first is a matter of time."""

    def differing(self, other: "Books") -> dict[str, object]:
        """What ended otherwise, of the briefs whose ending is no matter of time."""
        timeless = self.endings.keys() - self.collided - other.collided
        return {name: (self.endings[name], other.endings[name]) for name in timeless
                if self.endings[name] != other.endings[name]}  # fmt: skip


async def balance(ground: Ground, briefs: int) -> Books:
    """The books, once they are proved to balance."""
    state = await ground.states.get(RUN)
    assert state.state == "succeeded", state
    names = await ground.artifacts.names(RUN, "brief")
    assert len(names) == briefs
    assert await ground.artifacts.names(RUN, "consensus") == names, "a brief did not end, or something else did"
    assert await ground.bus.count("consensus", RUN) == briefs, "an ending was announced twice, or never"
    endings, collided = {}, set()
    for name in names:
        one = await ground.artifacts.get(pb.Consensus, RUN, name)
        assert one.reason != "dead_letter" or name in ground.corrupted, (name, one.detail)
        if one.problem.attempts != 1:
            collided.add(name)
        endings[name] = one.ending, f"{one.stage}.{one.reason}", one.selected.program
    [dataset] = await ground.artifacts.names(RUN, "dataset")
    sealed = await ground.artifacts.get(pb.Dataset, RUN, dataset)
    table = pq.read_table(io.BytesIO(await ground.artifacts.store.get(sealed.key))).to_pylist()
    rows = {row["brief"]: row["program"] for row in table}
    assert len(rows) == len(table), "a training row stands twice"
    assert rows == {name: program for name, (ending, _, program) in endings.items() if ending == pb.ENDING_SELECTED}
    assert {letter.name for letter in await ground.dead.all()} <= ground.corrupted
    await _acknowledged(ground)
    return Books(endings, rows, frozenset(collided))


async def _acknowledged(ground: Ground) -> None:
    """No message waits, or is in somebody's hands."""
    async with asyncio.timeout(60):
        for arrow in FLOW:
            while True:
                info = await ground.bus.jetstream.consumer_info(STREAM, arrow.name)
                if not info.num_pending and not info.num_ack_pending:
                    break
                await asyncio.sleep(0.2)
