"""problem -> tests: inputs, and what the model thinks of them."""

from ucoder.runtime.worker import Dropped
from ucoder.test_synth.service import Service
from ucoder.test_synth.synthesis import synthesize
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, problem: pb.Problem, run: pb.Run) -> pb.Tests | Dropped:
    """The tests of one brief."""
    config = run.config
    seed = problem.brief.seed ^ 0x7E57
    return await synthesize(service.model, problem.brief.model, problem, config.tests, config.model.profile, seed=seed)
