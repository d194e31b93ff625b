"""The arrow iteration -> brief: makes the briefs of an iteration, each with its domain, difficulty and random seed.

After the last iteration it makes none and ends the run.
"""

import contextlib
import random
from collections import Counter

from ucoder.core.domain_coverage import assign_cells
from ucoder.errors import NotFound
from ucoder.runs.service import Service
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, iteration: pb.Iteration, run: pb.Run) -> list[pb.Brief]:
    """Returns the briefs of an iteration, or ends the run and returns none.

    The same run and iteration always give the same briefs.
    """
    if iteration.decision != pb.DECISION_CONTINUE:
        await service.states.end(run.id, "succeeded", iteration.reason)
        return []
    config = run.config.problems
    levels = range(config.min_difficulty, config.max_difficulty + 1)
    cells = [(domain, level) for level in levels for domain in config.domains]
    earlier = await _earlier_briefs(service, run.id, iteration.index) if config.steer else {}
    seeds = random.Random(f"{run.config.seed}/{iteration.index}")
    return [
        pb.Brief(
            run=run.id,
            iteration=iteration.index,
            number=number,
            seed=seeds.getrandbits(48),
            domain=domain,
            difficulty=difficulty,
            model=iteration.served.model,
            script=domain in config.scripts,
        )
        for number, (domain, difficulty) in enumerate(assign_cells(cells, run.config.loop.briefs, earlier))
    ]


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
