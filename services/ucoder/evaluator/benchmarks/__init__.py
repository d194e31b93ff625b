"""Benchmarks, each one small adapter over its own public file format."""

from collections.abc import Callable
from importlib import resources
from typing import Any

from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmarks import bigcodebench, evalplus, fullstackbench, humaneval, livecodebench, mbpp
from ucoder.evaluator.benchmarks.task import BenchmarkTask, completion, joined, program
from ucoder.runtime.dataset_files import read_rows

__all__ = ["FORMATS", "BenchmarkTask", "completion", "joined", "load", "program"]

FORMATS: dict[str, Callable[[dict[str, Any]], BenchmarkTask | None]] = {
    "humaneval": humaneval.task,
    "humaneval_plus": evalplus.task,
    "mbpp": mbpp.task,
    "mbpp_plus": evalplus.task,
    "livecodebench": livecodebench.task,
    "bigcodebench": bigcodebench.complete,
    "bigcodebench_instruct": bigcodebench.instruct,
    "fullstackbench": fullstackbench.task,
}
"""Format -> the task of one line's JSON, or None for a line to skip; what is wrong with it is a plain exception."""


def load(name: str, format: str = "humaneval", *, dev: bool = False) -> tuple[BenchmarkTask, ...]:
    """The tasks of a file, here or on the hub (`runtime/rows.py`); `seed` names the one that ships with ucoder, or with
    `dev` the split for choices.

    Raises Misconfigured naming file and line: unreadable, cut off, not JSON, a missing key, a repeated task id; and
    for a file without any task.
    """
    if name == "seed":
        path = str(resources.files("ucoder.seed") / ("dev.jsonl.gz" if dev else "benchmark.jsonl.gz"))
        format = "humaneval"
    else:
        path = name
    format = format or "humaneval"
    if format not in FORMATS:
        raise Misconfigured(f"no benchmark format {format}; there are {', '.join(FORMATS)}.")
    tasks: dict[str, BenchmarkTask] = {}
    lines: dict[str, int] = {}
    for number, entry in read_rows(path):
        try:
            task = FORMATS[format](entry)
        except KeyError as error:
            raise Misconfigured(f"{path}:{number}: no key {error}; is this a file of {format}?") from None
        except (ValueError, TypeError, AttributeError, IndexError, SyntaxError, RecursionError) as error:
            raise Misconfigured(f"{path}:{number}: {error}.") from None
        if task is None:
            continue
        for key in ("task_id", "prompt", "entry_point", "canonical_solution"):
            if not isinstance(getattr(task, key), str):
                raise Misconfigured(f"{path}:{number}: {key} is {getattr(task, key)!r}, not a text.")
        if task.task_id in tasks:
            raise Misconfigured(f"{path}:{number}: task {task.task_id} stands on line {lines[task.task_id]} already.")
        tasks[task.task_id], lines[task.task_id] = task, number
    if not tasks:
        raise Misconfigured(f"{path}: holds no task of {format}.")
    return tuple(tasks.values())
