"""BigCodeBench's JSONL, complete or instruct, also under the names that SandboxFusion gives the keys.

Its tests are unittest files that patch and inspect the program, so they run beside it: the declared compat mode. Most
need libraries inside the cell.
"""

from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import FENCE_STOP, SELF_CONTAINED, BenchmarkTask, nested_json

CPU_SECONDS = 30.0
"""Limit of a whole test file; importing matplotlib and pandas alone takes seconds."""
MEMORY_MB = 4096


def complete(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line whose prompt is code to be continued."""
    if "content" in entry:
        entry_point = nested_json(entry["labels"])["entry_point"]
        return _task(entry, entry["id"], entry["content"], entry["content"], entry_point)
    prompt = entry["complete_prompt"]
    return _task(entry, entry["task_id"], prompt, prompt, entry["entry_point"], stub=_calibration(entry))


def instruct(entry: dict[str, Any]) -> BenchmarkTask:
    """Returns the task of one line whose prompt is words; the program begins with the code that they name."""
    words = entry["instruct_prompt"].strip()
    return _task(
        entry, entry["task_id"], f"{words}\n\n```python\n", entry["code_prompt"], entry["entry_point"],
        stop=FENCE_STOP, question=f"{SELF_CONTAINED}\n{words}", stub=_calibration(entry),
    )  # fmt: skip


def _calibration(entry: dict[str, Any]) -> str:
    """Returns what the official harness puts before each solution unless it is told not to (`--no-calibrated`)."""
    return f"{entry['code_prompt']}\n    pass\n" if entry.get("code_prompt") else ""


def _task(
    entry: dict[str, Any], task_id: str, prompt: str, given: str, entry_point: str, **fields: Any
) -> BenchmarkTask:
    return BenchmarkTask(
        task_id=task_id, prompt=prompt, entry_point=entry_point, tests=(Test(code=entry["test"]),),
        canonical_solution=entry["canonical_solution"], compat=True, given=given,
        cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB, **fields,
    )  # fmt: skip
