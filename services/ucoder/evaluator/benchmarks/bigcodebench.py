"""BigCodeBench's JSONL, complete or instruct, and SandboxFusion's names for the same.

Its tests are unittest files that patch and inspect the program, so they run beside it: the declared compat mode.
"""

import json
from typing import Any

from ucoder.core.test_cases import TestCase
from ucoder.evaluator.benchmarks.task import Task


def complete(entry: dict[str, Any]) -> Task:
    """The prompt is code to be continued."""
    if "content" in entry:
        labels = json.loads(entry["labels"]) if isinstance(entry["labels"], str) else entry["labels"]
        return _task(entry, entry["id"], entry["content"], entry["content"], labels["entry_point"])
    return _task(entry, entry["task_id"], entry["complete_prompt"], entry["complete_prompt"], entry["entry_point"])


def instruct(entry: dict[str, Any]) -> Task:
    """The prompt is words; the program begins with the code that they name."""
    return _task(entry, entry["task_id"], entry["instruct_prompt"], entry["code_prompt"], entry["entry_point"])


def _task(entry: dict[str, Any], task_id: str, prompt: str, given: str, entry_point: str) -> Task:
    return Task(
        task_id=task_id, prompt=prompt, entry_point=entry_point, tests=(TestCase(code=entry["test"]),),
        canonical_solution=entry["canonical_solution"], compat=True, given=given,
    )  # fmt: skip
