"""`ucoder generate tests`: stage 4."""

from collections import Counter
from pathlib import Path

from ucoder.cli.generate.model_source import Asked, Source
from ucoder.cli.generate.problem_lines import Line, each, output, problem_of, read, told
from ucoder.runtime.messaging.arrow_worker import Dropped
from ucoder.test_synth.test_writing import synthesize_tests
from ucoder.v1 import artifacts_pb2 as pb


async def main(problems: Path, out: Path, asked: Asked, *, keep: int | None, samples: int | None) -> None:
    """Writes each problem with its `tests`; one for which too few can be read has none and says why in `dropped`."""
    lines = read(problems)
    dropped: Counter[str] = Counter()
    about = {"problems": str(problems), "model": asked.model, "seed": asked.seed, "keep": keep, "samples": samples}
    with output(out, command="tests", **about) as file:
        async with Source.open(asked) as source:
            config = source.config.tests
            config.keep, config.samples = keep or config.keep, samples or config.samples

            async def one(line: Line) -> None:
                made = await synthesize_tests(
                    source.model, source.name, problem_of(line, source.name), config, source.profile,
                    seed=(asked.seed << 24) + lines.index(line) * config.samples,
                )  # fmt: skip
                if isinstance(made, Dropped):
                    dropped[made.reason] += 1
                    file.write({**line, "tests": [], "dropped": f"{made.reason}: {made.detail}"})
                else:
                    dropped.update(dict(made.dropped))
                    file.write({**line, "tests": list(map(_test, made.tests))})

            await each("writing tests", [line for line in lines if line["id"] not in file.done], one)
        file.finish([file.done[line["id"]] for line in lines])
        total = sum(len(line["tests"]) for line in file.done.values())
        reasons = ", ".join(f"{reason} {n}" for reason, n in dropped.most_common())
        told(f"{total} tests for {len(lines)} problems in {out}; left out: {reasons or 'none'}")


def _test(test: pb.TestCase) -> Line:
    if test.HasField("stdin"):
        return {"stdin": test.stdin, "expected_stdout": test.expected_stdout, "count": test.count}
    return {"code": test.code, "count": test.count}
