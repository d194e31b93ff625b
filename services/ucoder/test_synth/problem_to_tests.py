"""problem -> tests: inputs, and what the model thinks of them."""

from ucoder.models.metered import Metered
from ucoder.runtime.worker import Dropped
from ucoder.test_synth.service import Service
from ucoder.test_synth.synthesis import synthesize
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, problem: pb.Problem, run: pb.Run) -> pb.Tests | Dropped:
    """The tests of one brief."""
    brief, config, model = problem.brief, run.config, Metered(service.model)
    if limit := await service.ledger.over(run, brief.iteration):
        return Dropped(f"over_{limit}")
    seed = brief.seed ^ 0x7E57
    made = await synthesize(model, brief.model, problem, config.tests, config.model.profile, seed=seed)
    await service.ledger.enter(brief, {"tokens-tests": model.tokens})
    return made
