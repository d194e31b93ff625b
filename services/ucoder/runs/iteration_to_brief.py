"""iteration -> briefs: N independent ones, spread evenly over domains and difficulties; or the end of the run."""

import random

from ucoder.runs.service import Service
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, iteration: pb.Iteration, run: pb.Run) -> list[pb.Brief]:
    """The briefs; none at the end, which is written down instead. The same run and iteration give the same briefs."""
    if iteration.decision != pb.DECISION_CONTINUE:
        await service.states.end(run.id, "succeeded", iteration.reason)
        return []
    config = run.config.problems
    levels = range(config.min_difficulty, config.max_difficulty + 1)
    cells = [(domain, level) for level in levels for domain in config.domains]
    seeds = random.Random(f"{run.config.seed}/{iteration.index}")
    return [
        pb.Brief(
            run=run.id,
            iteration=iteration.index,
            number=number,
            seed=seeds.getrandbits(48),
            domain=cells[number % len(cells)][0],
            difficulty=cells[number % len(cells)][1],
            model=iteration.served.model,
        )
        for number in range(run.config.loop.briefs)
    ]
