"""Benchmarks: one small adapter for each public file format."""

from collections.abc import Callable
from importlib import resources
from typing import Any

from ucoder.core.idle_tests import idle_test
from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmarks import bigcodebench, evalplus, fullstackbench, humaneval, livecodebench, mbpp
from ucoder.evaluator.benchmarks.task import BenchmarkTask
from ucoder.runtime.dataset_files import read_rows

__all__ = ["FORMATS", "BenchmarkTask", "load_benchmark"]

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
"""The function of each format: it makes a task of one line's JSON, or returns None for a line to skip.

It may raise any plain exception for a wrong line."""


def load_benchmark(name: str, format: str = "humaneval", *, dev: bool = False) -> tuple[BenchmarkTask, ...]:
    """Returns the tasks of a file on this machine or on the model hub (`runtime/dataset_files.py`).

    `seed` is the benchmark that ships with ucoder; with `dev` it is the shipped dev split. Raises Misconfigured that
    names file and line: unreadable, cut off, not JSON, a missing key, a repeated task id; and for a file without tasks.
    """
    path, format = name, format or "humaneval"
    if name == "seed":
        path = str(resources.files("ucoder.seed") / ("dev.jsonl.gz" if dev else "benchmark.jsonl.gz"))
        format = "humaneval"
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
        if idle := idle_test(task.tests):
            raise Misconfigured(f"{path}:{number}: {idle}.")
        if task.task_id in tasks:
            raise Misconfigured(f"{path}:{number}: task {task.task_id} stands on line {lines[task.task_id]} already.")
        tasks[task.task_id], lines[task.task_id] = task, number
    if not tasks:
        raise Misconfigured(f"{path}: holds no task of {format}.")
    return tuple(tasks.values())
