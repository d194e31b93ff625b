"""A busy machine changes no score: limits count CPU time, which a program uses only while it has a core."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cli.test_evaluate_compare import HANGS, RIGHT, TASKS, WRONG, lines, ucoder

SECONDS = 0.4
"""CPU time of a program, below the limit of 1 s. Three other processes on its core make it take longer than that."""
PROCESSES_PER_CORE = 3
TURNS = 10_000_000


def slow_completion() -> str:
    """Returns a right completion that computes for SECONDS on this machine."""
    clock = f"import time\nfor _ in range({TURNS}): pass\nprint(time.process_time())"
    took = min(float(subprocess.check_output([sys.executable, "-I", "-c", clock])) for _ in range(3))
    return f"    for _ in range({int(SECONDS / took * TURNS)}): pass\n    return a + b\n"


def judged(data: Path, samples: Path, results: Path) -> tuple[Any, list[str]]:
    flags = ("--benchmark", "humaneval", "--data", data, "--samples", samples, "--json", "--results", results)
    done = ucoder("evaluate", *flags)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), results.read_text().splitlines()


def test_a_busy_machine_changes_no_score(tmp_path: Path) -> None:
    one_call = [{**TASKS[0], "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n"}]
    data = lines(tmp_path / "sums.jsonl", one_call)
    texts = [slow_completion() + f"    # {number}\n" for number in range(4)] + [RIGHT, WRONG, HANGS]
    samples = lines(tmp_path / "samples.jsonl", [{"task_id": "Sum/add", "completion": text} for text in texts])
    idle = judged(data, samples, tmp_path / "idle.jsonl")
    assert idle[0]["pass@1"] == pytest.approx(5 / 7)
    busy = [
        subprocess.Popen([sys.executable, "-I", "-c", "while True: pass"])
        for _ in range(PROCESSES_PER_CORE * len(os.sched_getaffinity(0)))
    ]
    try:
        assert judged(data, samples, tmp_path / "busy.jsonl") == idle
    finally:
        for process in busy:
            process.kill()
            process.wait()
