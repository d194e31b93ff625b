"""Puts a run back on the bus from what the store holds, so that the store alone is enough to go on with a run."""

from ucoder.flow import BRIEF_KINDS, FLOW
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.storage.artifacts import Artifacts


async def requeue(run: str, artifacts: Artifacts, bus: Bus) -> int:
    """Publishes again every artefact whose arrow has made no product yet; returns how many.

    One too many does no harm, because a stage finds a product that it has made before. A `gather` arrow looks at all
    sources of an iteration whenever one arrives, so for each iteration only the last source is published.
    """
    made = {arrow.product: set(await artifacts.names(run, arrow.product)) for arrow in FLOW}
    made["run"] = set(await artifacts.names(run, "run"))
    count = 0
    for arrow in FLOW:
        names = made[arrow.source]
        if arrow.shape == "map":
            names = names - made[arrow.product]
            names -= made["consensus"] if arrow.source in BRIEF_KINDS else set()
        elif arrow.shape == "gather":
            names = set({name.split("-")[0]: name for name in sorted(names)}.values())
        for name in sorted(names):
            if ref := await artifacts.find(run, arrow.source, name):
                await bus.requeue(ref)
                count += 1
    return count
