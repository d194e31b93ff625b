"""The arrow iteration -> brief: makes the briefs of an iteration, each with its domain, difficulty and random seed.

The briefs are announced as the services have room for them (runs/admission.py). After the last iteration it makes none
and ends the run.
"""

import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from ucoder.core.domain_coverage import assign_cells
from ucoder.errors import NotFound, Unwanted
from ucoder.runs.service import Service
from ucoder.v1 import artifacts_pb2 as pb

AT_ONCE = 64
"""Briefs that are stored and announced at once."""


async def run(service: Service, iteration: pb.Iteration, run: pb.Run) -> AsyncIterator[list[pb.Brief]] | None:
    """Returns the briefs of an iteration that are not announced yet, or ends the run.

    The same run and iteration always give the same briefs.
    """
    if iteration.decision != pb.DECISION_CONTINUE:
        await service.states.end(run.id, "succeeded", iteration.reason)
        return None
    if await service.artifacts.find(run.id, "dataset", f"{iteration.index:03d}"):
        return None
    cells = await _earlier_briefs(service, run.id, iteration.index) if run.config.problems.steer else {}
    return _as_room_comes_free(service, run, iteration.index, _briefs(iteration, run, cells))


async def _as_room_comes_free(
    service: Service, run: pb.Run, index: int, briefs: Iterator[pb.Brief]
) -> AsyncIterator[list[pb.Brief]]:
    """Yields the briefs a few at a time; an empty list while there is no room."""
    announced = await service.counts.made(run.id, index, "brief")
    left = (brief for brief in briefs if brief.number not in announced)
    try:
        while True:
            if (await service.states.get(run.id)).state != "running":
                raise Unwanted(f"run {run.id} has ended.")
            room = await service.admission.room(run, index)
            while batch := list(islice(left, min(room, AT_ONCE))):
                yield batch
                room -= len(batch)
            if room:
                return
            yield []
    finally:
        await service.admission.finished(run.id)


def _briefs(
    iteration: pb.Iteration, run: pb.Run, earlier: dict[tuple[str, int], tuple[int, int]]
) -> Iterator[pb.Brief]:
    config = run.config.problems
    levels = range(config.min_difficulty, config.max_difficulty + 1)
    cells = [(domain, level) for level in levels for domain in config.domains]
    seeds = random.Random(f"{run.config.seed}/{iteration.index}")
    for number, (domain, difficulty) in enumerate(assign_cells(cells, run.config.loop.briefs, earlier)):
        yield pb.Brief(
            run=run.id,
            iteration=iteration.index,
            number=number,
            seed=seeds.getrandbits(48),
            domain=domain,
            difficulty=difficulty,
            model=iteration.served.model,
            script=domain in config.scripts,
        )


async def _earlier_briefs(service: Service, run: str, index: int) -> dict[tuple[str, int], tuple[int, int]]:
    """Returns (domain, difficulty) -> (briefs, selected ones), summed over all iterations before `index`."""
    briefs: Counter[tuple[str, int]] = Counter()
    selected: Counter[tuple[str, int]] = Counter()
    for earlier in range(1, index):
        with contextlib.suppress(NotFound):
            dataset = await service.artifacts.get(pb.Dataset, run, f"{earlier:03d}")
            for cell in dataset.cells:
                briefs[cell.domain, cell.difficulty] += cell.briefs
                selected[cell.domain, cell.difficulty] += cell.selected
    return {cell: (count, selected[cell]) for cell, count in briefs.items()}
