"""Keeps a copy of the running counts in the store, and counts again what the bus does not know.

The bus counts while a run goes on. A run that has ended, a bus that was lost, and a run that began under an older
version are counted from the store.
"""

import asyncio
import base64
import json
from collections import Counter

from ucoder.errors import NotFound
from ucoder.runtime.messaging.count_chunks import CHUNK, GRANTS, MADE, SPENT, STAGES, Chunk, ending_key
from ucoder.runtime.messaging.ledger import PAIRS
from ucoder.runtime.messaging.running_counts import RunningCounts
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb

AT_ONCE = 32
"""Endings that are read at once."""


def copy_key(run: str, iteration: int) -> str:
    """Returns the key of the copy in the store."""
    return f"{run}/counts/{iteration:03d}.json"


async def save_copy(artifacts: Artifacts, counts: RunningCounts, run: str, iteration: int) -> bool:
    """Copies the counts of an iteration into the store; returns False where the bus has none."""
    values = await counts.snapshot(run, iteration)
    if not values:
        return False
    text = json.dumps({key: base64.b64encode(data).decode() for key, data in sorted(values.items())})
    await artifacts.store.replace(copy_key(run, iteration), text.encode())
    return True


async def read_copy(artifacts: Artifacts, run: str, iteration: int) -> dict[str, bytes]:
    """Returns the values of the copy by their keys; an empty dictionary where there is no copy."""
    try:
        values = json.loads(await artifacts.store.get(copy_key(run, iteration)))
    except NotFound:
        return {}
    return {key: base64.b64decode(text) for key, text in values.items()}


def sums_of_copy(values: dict[str, bytes]) -> dict[str, Counter[str]]:
    """Returns the sums of every stage in a copy."""
    sums: dict[str, Counter[str]] = {stage: Counter() for stage in STAGES}
    for key, data in values.items():
        stage = key.split(".")[0]
        if stage in sums:
            sums[stage].update(Chunk.decode(data).sums)
    return sums


async def recover(artifacts: Artifacts, counts: RunningCounts, run: str, iteration: int) -> None:
    """Adds to the counts every artefact of an iteration that the store holds and that is not counted yet.

    The briefs come last: an iteration whose briefs are counted is complete.
    """
    await counts.restore(run, iteration, await read_copy(artifacts, run, iteration))
    await _import_ledger_files(artifacts, counts, run, iteration)
    for stage in reversed(STAGES):
        known = await counts.made(run, iteration, stage)
        async for names in artifacts.name_pages(run, stage):
            prefix = f"{iteration:03d}-"
            fresh = [name for name in names if name.startswith(prefix) and int(name.removeprefix(prefix)) not in known]
            for at in range(0, len(fresh), AT_ONCE if stage == "consensus" else CHUNK):
                batch = fresh[at : at + (AT_ONCE if stage == "consensus" else CHUNK)]
                endings = await asyncio.gather(*(_ending(artifacts, run, stage, name) for name in batch))
                records = zip(batch, endings, strict=True)
                await asyncio.gather(*(counts.record(run, name, stage, {MADE: 1, **more}) for name, more in records))


async def _ending(artifacts: Artifacts, run: str, stage: str, name: str) -> dict[str, int]:
    if stage != "consensus":
        return {}
    return {ending_key(await artifacts.get(pb.Consensus, run, name)): 1}


async def _import_ledger_files(artifacts: Artifacts, counts: RunningCounts, run: str, iteration: int) -> None:
    """Adds the ledger of an iteration that began under a version that kept it as keys of the store.

    An entry was a key `<run>/ledger/<iteration>/<brief>.<item>.<amount>`.
    """
    granted = 0
    async for page in artifacts.store.pages(f"{run}/ledger/{iteration:03d}"):
        records = []
        for key in page:
            number, *rest = key.rsplit("/", 1)[-1].split(".")
            granted += number == "grant"
            if len(rest) == 2 and number.isdigit():
                item, amount = rest[0], int(rest[1])
                stage = item.partition("-")[2] or ("consensus" if item == PAIRS else "candidates")
                name = f"{iteration:03d}-{number}"
                records.append(counts.record(run, name, stage, {item: amount}, f"{SPENT}-{item}"))
        await asyncio.gather(*records)
    if granted:
        await counts.restore(run, iteration, {f"{GRANTS}.0": Chunk(Counter({GRANTS: granted})).encode()})
