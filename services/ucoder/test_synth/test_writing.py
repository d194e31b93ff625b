"""Stage 4 of the paper: about a hundred tests, asked for by kind, read leniently, checked, counted, and filled up."""

import asyncio
from collections import Counter

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
    """The tests that the checkpoint called `name` writes for a problem, or too_few_tests.

    The samples are spread over the kinds; kinds for which a profile asks with the same words are asked for at once.
    """
    prompts = Prompts.load(profile, script=not problem.entry_point)
    asked: Counter[str] = Counter()
    for number in range(config.samples):
        asked[prompts.render("tests", problem=problem.prompt, kind=config.kinds[number % len(config.kinds)])] += 1
    how, stop = SamplingParameters.of(config.sampling), prompts.stop("tests")
    starts = [sum(list(asked.values())[:place]) for place in range(len(asked))]
    answers = await asyncio.gather(
        *(
            model.complete(name, ask, n=count, sampling=how, stop=stop, seed=seed + first)
            for first, (ask, count) in zip(starts, asked.items(), strict=True)
        )
    )
    texts = [one.text for some in answers for one in some]
    if problem.entry_point:
        tests, dropped = read_tests(texts, problem.entry_point, config.keep)
        filled = await asyncio.to_thread(_drawn, problem, list(tests), config.keep, seed) if config.fill else []
        cases = [pb.TestCase(code=code, count=count) for code, count in tests.items()]
        cases += [pb.TestCase(code=code, count=1) for code in filled]
    else:
        scripts, dropped = read_script_tests(problem.prompt, texts, config.keep)
        filled = []
        cases = [pb.TestCase(stdin=one.stdin, expected_stdout=one.expected_stdout, count=one.count) for one in scripts]
    if len(cases) < config.require:
        return Dropped("too_few_tests", f"{len(cases)} of at least {config.require}")
    return pb.Tests(problem=problem, tests=cases, dropped=dict(dropped), filled=len(filled))


def _drawn(problem: pb.Problem, tests: list[str], keep: int, seed: int) -> list[str]:
    """Calls with arguments drawn from the types, none of which a test makes already; none where types tell nothing."""
    try:
        signature = read_signature(problem.prompt, [], problem.entry_point)
    except UnclearSignature:
        return []
    known = calls_of(tests, problem.entry_point)
    return draw_calls(signature, known, len(known) + max(0, keep - len(tests)), seed)[len(known) :]
