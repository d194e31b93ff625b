"""What the store holds and nothing was made of, put back on the bus: the store alone is enough to go on with a run."""

from ucoder.flow import BRIEF_KINDS, FLOW
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.storage.artifacts import Artifacts


async def requeue(run: str, artifacts: Artifacts, bus: Bus) -> int:
    """Puts every artefact before its arrow that has no product yet; answers how many.

    Stages find what they have made, so one too many is harmless. Of the sources that a gather waits for, each is an
    occasion to look; one of an iteration is enough, the last.
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
