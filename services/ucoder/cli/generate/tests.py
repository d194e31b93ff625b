"""`ucoder generate tests`: writes tests for problems, as stage 4 of the loop does."""

from collections import Counter
from typing import Annotated

from typer import Option

from ucoder.cli.generate.model_source import ModelSource
from ucoder.cli.generate.problem_lines import Line, ResumableFile, print_summary, problem_of, read_problems
from ucoder.cli.shared import options
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.test_synth.test_writing import synthesize_tests
from ucoder.v1 import artifacts_pb2 as pb


async def generate_tests(
    problems: options.ProblemsArgument,
    out: options.LinesOutFlag,
    keep: Annotated[int | None, Option(min=1, help="Most tests of a problem. Default: the configuration's.")] = None,
    samples: Annotated[int | None, Option(min=1, help="Completions to sample, each with several tests.")] = None,
    model: options.ModelFlag = "seed",
    name: options.ModelNameFlag = None,
    profile: options.ProfileFlag = None,
    config: options.SamplingConfigFlag = None,
    seed: options.SeedFlag = 1,
) -> None:
    """Writes tests for problems: asserts of several kinds, and inputs drawn from the types. They may be wrong.

    Writes each problem with its `tests`. A problem with too few tests gets none, and `dropped` says why.

    Example: `ucoder generate tests problems.jsonl -o tests.jsonl`
    """
    lines = read_problems(problems)
    dropped: Counter[str] = Counter()
    settings = {"problems": str(problems), "model": model, "seed": seed, "keep": keep, "samples": samples}
    with ResumableFile(out, command="tests", **settings) as file:
        async with ModelSource.open(model, name, profile, config) as source:
            test_config = source.config.tests
            test_config.keep, test_config.samples = keep or test_config.keep, samples or test_config.samples

            async def write_tests(line: Line) -> Line:
                made = await synthesize_tests(
                    source.model, source.name, problem_of(line, source.name), test_config, source.profile,
                    seed=(seed << 24) + lines.index(line) * test_config.samples,
                )  # fmt: skip
                if isinstance(made, Dropped):
                    dropped[made.reason] += 1
                    return line | {"tests": [], "dropped": f"{made.reason}: {made.detail}"}
                dropped.update(dict(made.dropped))
                return line | {"tests": [_test_values(test) for test in made.tests]}

            written = await file.process("writing tests", lines, write_tests)
        file.finish(written)
        total = sum(len(line["tests"]) for line in written)
        reasons = ", ".join(f"{reason} {n}" for reason, n in dropped.most_common())
        print_summary(f"{total} tests for {len(lines)} problems in {out}; left out: {reasons or 'none'}")


def _test_values(test: pb.TestCase) -> Line:
    """Returns a test as the file has it."""
    if test.HasField("stdin"):
        return {"stdin": test.stdin, "expected_stdout": test.expected_stdout, "count": test.count}
    return {"code": test.code, "count": test.count}
