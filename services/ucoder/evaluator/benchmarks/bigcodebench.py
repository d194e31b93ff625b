"""BigCodeBench's JSONL, complete or instruct, and SandboxFusion's names for the same.

Its tests are unittest files that patch and inspect the program, so they run beside it: the declared compat mode. Most
need libraries inside the cell.
"""

import json
from typing import Any

from ucoder.core.test_plans import Test
from ucoder.evaluator.benchmarks.task import FENCE, SELF_CONTAINED, BenchmarkTask

CPU_SECONDS = 30.0
"""Of a whole test file; importing matplotlib and pandas alone takes seconds."""
MEMORY_MB = 4096


def complete(entry: dict[str, Any]) -> BenchmarkTask:
    """The prompt is code to be continued."""
    if "content" in entry:
        labels = json.loads(entry["labels"]) if isinstance(entry["labels"], str) else entry["labels"]
        return _task(entry, entry["id"], entry["content"], entry["content"], labels["entry_point"])
    return _task(entry, entry["task_id"], entry["complete_prompt"], entry["complete_prompt"], entry["entry_point"])


def instruct(entry: dict[str, Any]) -> BenchmarkTask:
    """The prompt is words; the program begins with the code that they name."""
    words = entry["instruct_prompt"].strip()
    return _task(
        entry, entry["task_id"], f"{words}\n\n```python\n", entry["code_prompt"], entry["entry_point"],
        stop=FENCE, question=f"{SELF_CONTAINED}\n{words}",
    )  # fmt: skip


def _task(
    entry: dict[str, Any], task_id: str, prompt: str, given: str, entry_point: str, **asking: Any
) -> BenchmarkTask:
    return BenchmarkTask(
        task_id=task_id, prompt=prompt, entry_point=entry_point, tests=(Test(code=entry["test"]),),
        canonical_solution=entry["canonical_solution"], compat=True, given=given,
        cpu_seconds=CPU_SECONDS, memory_mb=MEMORY_MB, **asking,
    )  # fmt: skip
