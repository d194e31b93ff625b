"""Benchmarks, each one small adapter over its own public file format."""

import functools
import gzip
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from ucoder.evaluator.benchmarks import bigcodebench, evalplus, fullstackbench, humaneval, livecodebench, mbpp
from ucoder.evaluator.benchmarks.task import Task, program
from ucoder.runtime.errors import Misconfigured

__all__ = ["FORMATS", "Task", "load", "program"]

FORMATS: dict[str, Callable[[dict[str, Any]], Task | None]] = {
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


@functools.lru_cache(maxsize=8)
def load(name: str, format: str = "humaneval", *, dev: bool = False) -> tuple[Task, ...]:
    """The tasks of a file; `seed` names the one that ships with ucoder, or with `dev` the split for choices.

    Raises Misconfigured naming file and line: unreadable, not JSON, a missing key, a repeated task id, no task at all.
    """
    if name == "seed":
        path = Path(str(resources.files("ucoder.seed") / ("dev.jsonl.gz" if dev else "benchmark.jsonl.gz")))
    else:
        path = Path(name)
    if format not in FORMATS:
        raise Misconfigured(f"no benchmark format {format}; there are {', '.join(FORMATS)}.")
    tasks: dict[str, Task] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            task = FORMATS[format](json.loads(line))
        except KeyError as error:
            raise Misconfigured(f"{path}:{number}: no key {error}.") from None
        except (ValueError, TypeError, AttributeError, IndexError, SyntaxError) as error:
            raise Misconfigured(f"{path}:{number}: {error}.") from None
        if task is None:
            continue
        if task.task_id in tasks:
            raise Misconfigured(f"{path}:{number}: task {task.task_id} stands there twice.")
        tasks[task.task_id] = task
    if not tasks:
        raise Misconfigured(f"{path}: holds no task.")
    return tuple(tasks.values())


def _lines(path: Path) -> list[str]:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode().split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Misconfigured(f"benchmark {path}: {error}.") from None
