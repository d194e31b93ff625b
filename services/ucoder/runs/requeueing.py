"""Puts a run back on the bus from what the store holds, so that the store alone is enough to go on with a run."""

import asyncio
from collections.abc import Iterable
from itertools import islice

from ucoder.flow import FLOW
from ucoder.runs.count_recovery import recover
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.count_chunks import STAGES
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.storage.artifacts import Artifacts

AT_ONCE = 32
"""Artefacts that are announced at once."""


async def requeue(run: str, artifacts: Artifacts, counts: RunningCounts, bus: Bus) -> int:
    """Publishes again every artefact whose arrow has made no product yet; returns how many.

    One too many does no harm, because a stage finds a product that it has made before. A `gather` arrow looks at all
    sources of an iteration whenever one arrives, so for each iteration only the last source is published. The briefs
    are those of the last iteration: an earlier one is complete.
    """
    others = [arrow for arrow in FLOW if arrow.source not in STAGES]
    made = {kind: set(await artifacts.names(run, kind)) for kind in {arrow.source for arrow in others}}
    count = 0
    for arrow in others:
        names = made[arrow.source]
        if arrow.shape == "gather":
            names = set({name.split("-")[0]: name for name in sorted(names)}.values())
        else:
            names = names - made["dataset" if arrow.shape == "fan_out" else arrow.product]
        count += await _publish(run, arrow.source, sorted(names), artifacts, bus)
    index = max((int(name) for name in made["iteration"]), default=0)
    if index and f"{index:03d}" not in made["dataset"]:
        await recover(artifacts, counts, run, index)
        for kind, names_of_kind in await _without_product(counts, run, index):
            count += await _publish(run, kind, names_of_kind, artifacts, bus)
    return count


async def _without_product(counts: RunningCounts, run: str, index: int) -> list[tuple[str, Iterable[str]]]:
    """Returns for each stage the names of the briefs that are there: those that have no later artefact.

    Of the briefs that have ended it is the last one.
    """
    made = [await counts.made(run, index, stage) for stage in STAGES]
    ended = made[-1]
    waiting: list[tuple[str, Iterable[str]]] = [
        (stage, (f"{index:03d}-{number:06d}" for number in (here - later) - ended))
        for stage, here, later in zip(STAGES, made, made[1:], strict=False)
    ]
    last = max(ended, default=None)
    return [*waiting, ("consensus", [] if last is None else [f"{index:03d}-{last:06d}"])]


async def _publish(run: str, kind: str, names: Iterable[str], artifacts: Artifacts, bus: Bus) -> int:
    """Announces artefacts again; returns how many the store holds."""

    async def publish(name: str) -> bool:
        ref = await artifacts.find(run, kind, name)
        if ref:
            await bus.requeue(ref)
        return ref is not None

    left, count = iter(names), 0
    while batch := list(islice(left, AT_ONCE)):
        count += sum(await asyncio.gather(*map(publish, batch)))
    return count
