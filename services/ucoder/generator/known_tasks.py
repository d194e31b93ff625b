"""The tasks of benchmarks in their public files, so that no problem repeats one."""

import gzip
import json
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from ucoder.core.decontamination import KnownTask
from ucoder.runtime.errors import Misconfigured

STATEMENT = ("prompt", "text", "question_content", "complete_prompt", "instruct_prompt", "content")
CODE = ("code", "starter_code", "code_prompt", "canonical_solution")
NAME = ("task_id", "question_id", "id")


def known_tasks(benchmarks: Iterable[str]) -> Iterator[KnownTask]:
    """Every task of the named files: HumanEval, MBPP, EvalPlus, LiveCodeBench, BigCodeBench, FullStackBench and
    SandboxFusion's editions of them; `seed` names the two that ship with ucoder. Raises Misconfigured naming file and
    line.
    """
    for name in dict.fromkeys(benchmarks):
        files = [resources.files("ucoder.seed") / f for f in ("benchmark.jsonl.gz", "dev.jsonl.gz")]
        for file in files if name == "seed" else [Path(name)]:
            called = name if name == "seed" else Path(name).name.split(".")[0]
            for number, line in enumerate(_lines(file), 1):
                if not line.strip():
                    continue
                try:
                    entry: dict[str, Any] = json.loads(line)
                    statement = next(str(entry[field]) for field in STATEMENT if entry.get(field))
                except (ValueError, StopIteration, TypeError, AttributeError):
                    raise Misconfigured(f"{file}:{number}: no task with any of {', '.join(STATEMENT)}.") from None
                task = next((str(entry[field]) for field in NAME if field in entry), str(number))
                code = "\n".join(str(entry[field]) for field in CODE if entry.get(field))
                yield KnownTask(called, task, statement, code)


def _lines(file: Any) -> list[str]:
    try:
        data = file.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode().split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Misconfigured(f"benchmark {file}: {error}.") from None
