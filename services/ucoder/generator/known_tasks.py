"""The prompts of the benchmarks that a run is measured on, so that no problem repeats one."""

import gzip
import json
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from ucoder.runtime.errors import Misconfigured

FIELDS = ("prompt", "text", "question_content", "complete_prompt", "content")  # what public files call the statement


def known_prompts(benchmarks: Iterable[str]) -> Iterator[str]:
    """Every statement of the named files; `seed` names the two that ship with ucoder.

    Raises Misconfigured naming file and line.
    """
    for name in dict.fromkeys(benchmarks):
        files = [resources.files("ucoder.seed") / f for f in ("benchmark.jsonl.gz", "dev.jsonl.gz")]
        for file in files if name == "seed" else [Path(name)]:
            try:
                data = file.read_bytes()
                text = gzip.decompress(data).decode() if data[:2] == b"\x1f\x8b" else data.decode()
            except (OSError, EOFError, UnicodeDecodeError) as error:
                raise Misconfigured(f"benchmark {file}: {error}.") from None
            for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
                try:
                    task = json.loads(line)
                    yield next(task[field] for field in FIELDS if field in task)
                except (ValueError, StopIteration, TypeError):
                    raise Misconfigured(f"{file}:{number}: no task with any of {', '.join(FIELDS)}.") from None
