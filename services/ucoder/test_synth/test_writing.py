"""Stage 4 of the paper: the model writes about a hundred tests of several kinds; they are read, counted, completed."""

import asyncio
import itertools
from collections import Counter

from ucoder.core.drop_reasons import DropReason
from ucoder.core.generated_tests import calls_of, read_tests
from ucoder.core.input_synthesis import UnclearSignature, read_signature
from ucoder.core.input_synthesis.input_drawing import draw_calls
from ucoder.core.script_problems import read_script_tests
from ucoder.models.prompts import Prompts
from ucoder.models.protocol import Completer, SamplingParameters
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


async def synthesize_tests(
    model: Completer, name: str, problem: pb.Problem, config: config_pb2.TestConfig, profile: str, *, seed: int
) -> pb.Tests | Dropped:
    """Returns the tests that the checkpoint called `name` writes for a problem, or drops it with too_few_tests.

    The samples are spread over the kinds of tests. Kinds for which a profile has equal prompts share one request.
    """
    prompts = Prompts.load(profile, script=not problem.entry_point)
    counts: Counter[str] = Counter()
    for number in range(config.samples):
        kind = config.kinds[number % len(config.kinds)]
        counts[prompts.render("tests", problem=problem.prompt, kind=kind)] += 1
    sampling, stop = SamplingParameters.of(config.sampling), prompts.stop("tests")
    firsts = itertools.accumulate(counts.values(), initial=0)
    answers = await asyncio.gather(
        *(
            model.complete(name, prompt, n=count, sampling=sampling, stop=stop, seed=seed + first)
            for first, (prompt, count) in zip(firsts, counts.items(), strict=False)
        )
    )
    texts = [completion.text for completions in answers for completion in completions]
    if problem.entry_point:
        tests, dropped = read_tests(texts, problem.entry_point, config.keep)
        added = (
            await asyncio.to_thread(_additional_calls, problem, list(tests), config.keep, seed) if config.fill else []
        )
        cases = [pb.TestCase(code=code, count=count) for code, count in tests.items()]
        cases += [pb.TestCase(code=code, count=1) for code in added]
    else:
        scripts, dropped = read_script_tests(problem.prompt, texts, config.keep)
        added = []
        cases = [
            pb.TestCase(stdin=test.stdin, expected_stdout=test.expected_stdout, count=test.count) for test in scripts
        ]
    if len(cases) < config.require:
        return Dropped(DropReason.TOO_FEW_TESTS, f"{len(cases)} of at least {config.require}")
    return pb.Tests(problem=problem, tests=cases, dropped=dict(dropped), filled=len(added))


def _additional_calls(problem: pb.Problem, tests: list[str], keep: int, seed: int) -> list[str]:
    """Returns calls up to `keep` tests, with new arguments drawn from the types; none where the types are unclear."""
    try:
        signature = read_signature(problem.prompt, [], problem.entry_point)
    except UnclearSignature:
        return []
    known = calls_of(tests, problem.entry_point)
    return draw_calls(signature, known, len(known) + max(0, keep - len(tests)), seed)[len(known) :]
