"""FullStackBench's JSONL: the Python part is read, other languages are skipped.

A task's test is code that runs behind the program in one file, so it runs beside it: the declared compat mode.
"""

from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import FENCE_STOP, BenchmarkTask, nested_json

CPU_SECONDS = 20.0
"""Limit of a whole test file."""
MEMORY_MB = 2048


def task(entry: dict[str, Any]) -> BenchmarkTask | None:
    """Returns the task of one line; None for another language."""
    labels = nested_json(entry["labels"])
    if labels["programming_language"] != "python":
        return None
    return BenchmarkTask(
        task_id=f"FullStackBench/{entry['id']}", prompt=f"{entry['content'].strip()}\n\n```python\n", entry_point="",
        tests=(Test(code=nested_json(entry["test"])["code"]),), canonical_solution=entry["canonical_solution"],
        groups=tuple(labels[key] for key in ("category", "difficulty") if labels.get(key)),
        compat=True, cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB, given="",
        stop=FENCE_STOP, question=entry["content"], opening="",
    )  # fmt: skip
