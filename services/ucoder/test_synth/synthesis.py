"""Stage 4 of the paper: about a hundred tests, read leniently, checked, counted."""

from ucoder.core.generated_tests import read_tests
from ucoder.models.metered import Completer
from ucoder.models.prompts import Prompts
from ucoder.models.sampling import draw
from ucoder.runtime.worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


async def synthesize(
    model: Completer, name: str, problem: pb.Problem, config: config_pb2.TestConfig, profile: str, *, seed: int
) -> pb.Tests | Dropped:
    """The tests that the checkpoint called `name` writes for a problem, or too_few_tests."""
    prompts = Prompts.load(profile)
    completions = await model.complete(
        name,
        prompts.render("tests", problem=problem.prompt),
        n=config.samples,
        draw=draw(config.sampling),
        stop=prompts.stop("tests"),
        seed=seed,
    )
    tests, dropped = read_tests((c.text for c in completions), problem.entry_point, config.keep)
    if len(tests) < config.require:
        return Dropped("too_few_tests", f"{len(tests)} of at least {config.require}")
    return pb.Tests(
        problem=problem,
        tests=[pb.TestCase(code=code, count=count) for code, count in tests.items()],
        dropped=dict(dropped),
    )
