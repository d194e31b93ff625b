"""tests -> candidates: n programs, sampled from the problem alone; the tests only travel with them."""

from ucoder.generator.service import Service
from ucoder.generator.solutions import sample
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, tests: pb.Tests, run: pb.Run) -> pb.Candidates:
    """The candidates of one brief."""
    problem = tests.problem
    config = run.config
    found = await sample(
        service.model,
        problem.brief.model,
        problem,
        config.candidates,
        config.model.profile,
        seed=problem.brief.seed ^ 0x5EED,
    )
    return pb.Candidates(tests=tests, candidates=found)
