"""Arrow problem -> tests: writes the tests of one brief's problem."""

from ucoder.models.token_counts import TokenCounter
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.runtime.messaging.ledger import reason_of_limit
from ucoder.test_synth.service import Service
from ucoder.test_synth.test_writing import synthesize_tests
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, problem: pb.Problem, run: pb.Run) -> pb.Tests | Dropped:
    """Returns the tests of one brief, or drops it when the model writes too few."""
    brief, config, model = problem.brief, run.config, TokenCounter(service.model)
    if limit := await service.ledger.reached_limit(run, brief.iteration):
        return Dropped(reason_of_limit(limit))
    seed = brief.seed ^ 0x7E57
    tests = await synthesize_tests(model, brief.model, problem, config.tests, config.model.profile, seed=seed)
    await service.ledger.record(brief, "tests", {"tokens-tests": model.tokens})
    return tests
