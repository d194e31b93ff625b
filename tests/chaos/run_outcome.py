"""Checks a finished run: each brief ended exactly once, and each training row exists exactly once."""

import asyncio
import io
from dataclasses import dataclass

import pyarrow.parquet as pq
from tests.chaos.chaos_test_bed import RUN, ChaosTestBed

from ucoder.flow import FLOW
from ucoder.runs.run_status import StatusReader
from ucoder.runtime.messaging.bus import STREAM
from ucoder.runtime.messaging.count_chunks import MADE
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.v1 import artifacts_pb2 as pb


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The endings of a run's briefs, and the rows of its dataset."""

    endings: dict[str, tuple[int, str, str]]
    """Brief -> its ending, `stage.reason` and the selected program."""
    rows: dict[str, str]
    """Brief -> the program of its training row."""
    order_dependent: frozenset[str]
    """Briefs whose first problem another brief had invented before: which one is first depends on timing."""

    def differing(self, other: "RunOutcome") -> dict[str, object]:
        """Returns the endings that differ, among the briefs whose ending does not depend on timing."""
        comparable = self.endings.keys() - self.order_dependent - other.order_dependent
        return {name: (self.endings[name], other.endings[name]) for name in comparable
                if self.endings[name] != other.endings[name]}  # fmt: skip


async def check_outcome(bed: ChaosTestBed, briefs: int) -> RunOutcome:
    """Returns the outcome of the run. Raises AssertionError when a brief or a row is missing, doubled or wrong."""
    state = await bed.states.get(RUN)
    assert state.state == "succeeded", state
    names = await bed.artifacts.names(RUN, "brief")
    assert len(names) == briefs
    assert await bed.artifacts.names(RUN, "consensus") == names, "a brief has not ended, or an unknown one has"
    counts = StatusReader(bed.artifacts, await RunningCounts.open(bed.bus))
    assert (await counts.sums(RUN, 1))["consensus"][MADE] == briefs, "an ending was counted twice, or never"
    endings, order_dependent = {}, set()
    for name in names:
        ended = await bed.artifacts.get(pb.Consensus, RUN, name)
        assert ended.reason != "dead_letter" or name in bed.corrupted, (name, ended.detail)
        if ended.problem.attempts != 1:
            order_dependent.add(name)
        endings[name] = ended.ending, f"{ended.stage}.{ended.reason}", ended.selected.program
    [dataset] = await bed.artifacts.names(RUN, "dataset")
    sealed = await bed.artifacts.get(pb.Dataset, RUN, dataset)
    table = pq.read_table(io.BytesIO(await bed.artifacts.store.get(sealed.key))).to_pylist()
    rows = {row["brief"]: row["program"] for row in table}
    assert len(rows) == len(table), "a training row exists twice"
    assert rows == {name: program for name, (ending, _, program) in endings.items() if ending == pb.ENDING_SELECTED}
    assert {letter.name for letter in await bed.dead.all()} <= bed.corrupted
    await _check_all_acknowledged(bed)
    return RunOutcome(endings, rows, frozenset(order_dependent))


async def _check_all_acknowledged(bed: ChaosTestBed) -> None:
    """Waits until no message is pending or unacknowledged. Raises TimeoutError after a minute."""
    async with asyncio.timeout(60):
        for arrow in FLOW:
            while True:
                info = await bed.bus.jetstream.consumer_info(STREAM, arrow.name)
                if not info.num_pending and not info.num_ack_pending:
                    break
                await asyncio.sleep(0.2)
