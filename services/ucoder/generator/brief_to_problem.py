"""brief -> problem: what a brief asks for, invented, rated, planned; new in this run and in no benchmark."""

from ucoder.generator.problems import invent
from ucoder.generator.service import Service
from ucoder.models.metered import Metered
from ucoder.runtime.artifacts import name_of
from ucoder.runtime.worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, brief: pb.Brief, run: pb.Run) -> pb.Problem | Dropped:
    """Claims each problem in the store, create-only: of two briefs that invent the same, exactly one gets it."""
    if limit := await service.ledger.over(run, brief.iteration):
        return Dropped(f"over_{limit}")
    owner = name_of(brief).encode()
    model = Metered(service.model)

    async def fresh(fingerprint: str) -> bool:
        key = f"{run.id}/fingerprint/{fingerprint}"
        store = service.artifacts.store
        return await store.create(key, owner) or await store.get(key) == owner

    config = run.config
    known = service.known(config.evaluation.benchmark, config.evaluation.dev)
    made = await invent(model, brief, config.problems, config.model.profile, fresh=fresh, known=known)
    await service.ledger.enter(brief, {"tokens-problem": model.tokens})
    return made
