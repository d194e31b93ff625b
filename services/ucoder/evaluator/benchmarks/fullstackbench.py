"""FullStackBench's JSONL: many languages; the Python part is read, the rest is skipped.

A task's test is code that runs behind the program in one file, so it runs beside it: the declared compat mode.
"""

import json
from typing import Any

from ucoder.core.test_cases import TestCase
from ucoder.evaluator.benchmarks.task import Task


def task(entry: dict[str, Any]) -> Task | None:
    """The task of one line, None for another language."""
    labels = json.loads(entry["labels"]) if isinstance(entry["labels"], str) else entry["labels"]
    if labels["programming_language"] != "python":
        return None
    test = json.loads(entry["test"]) if isinstance(entry["test"], str) else entry["test"]
    return Task(
        task_id=f"FullStackBench/{entry['id']}", prompt=entry["content"], entry_point="",
        tests=(TestCase(code=test["code"]),), canonical_solution=entry["canonical_solution"],
        group=labels.get("category", ""), compat=True, given="",
    )  # fmt: skip
