"""FullStackBench's JSONL: many languages; the Python part is read, the rest is skipped.

A task's test is code that runs behind the program in one file, so it runs beside it: the declared compat mode.
"""

import json
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import FENCE, BenchmarkTask

CPU_SECONDS = 20.0
"""Of a whole test file."""
MEMORY_MB = 2048


def task(entry: dict[str, Any]) -> BenchmarkTask | None:
    """The task of one line, None for another language."""
    labels = json.loads(entry["labels"]) if isinstance(entry["labels"], str) else entry["labels"]
    if labels["programming_language"] != "python":
        return None
    test = json.loads(entry["test"]) if isinstance(entry["test"], str) else entry["test"]
    return BenchmarkTask(
        task_id=f"FullStackBench/{entry['id']}", prompt=f"{entry['content'].strip()}\n\n```python\n", entry_point="",
        tests=(Test(code=test["code"]),), canonical_solution=entry["canonical_solution"],
        groups=tuple(labels[key] for key in ("category", "difficulty") if labels.get(key)),
        compat=True, cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB, given="",
        stop=FENCE, question=entry["content"], opening="",
    )  # fmt: skip
