"""Reads the tasks of public benchmark files, so that no invented problem repeats one."""

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from ucoder.core.decontamination import KnownTask
from ucoder.errors import Misconfigured
from ucoder.runtime.dataset_files import read_rows

STATEMENT_FIELDS = ("prompt", "text", "question_content", "complete_prompt", "instruct_prompt", "content")
CODE_FIELDS = ("code", "starter_code", "code_prompt", "canonical_solution")
NAME_FIELDS = ("task_id", "question_id", "id")


def known_tasks(benchmarks: Iterable[str]) -> Iterator[KnownTask]:
    """Yields every task of the named files; `seed` names the two files that ship with ucoder.

    It reads HumanEval, MBPP, EvalPlus, LiveCodeBench, BigCodeBench, FullStackBench and SandboxFusion's editions of
    them. Raises Misconfigured naming file and line.
    """
    for name in dict.fromkeys(benchmarks):
        files = [str(resources.files("ucoder.seed") / f) for f in ("benchmark.jsonl.gz", "dev.jsonl.gz")]
        for file in files if name == "seed" else [name]:
            benchmark = name if name == "seed" else Path(name).name.split(".")[0]
            for number, row in read_rows(file):
                try:
                    statement = next(str(row[field]) for field in STATEMENT_FIELDS if row.get(field))
                except StopIteration:
                    fields = ", ".join(STATEMENT_FIELDS)
                    raise Misconfigured(f"{file}:{number}: no task with any of {fields}.") from None
                task = next((str(row[field]) for field in NAME_FIELDS if field in row), str(number))
                code = "\n".join(str(row[field]) for field in CODE_FIELDS if row.get(field))
                yield KnownTask(benchmark, task, statement, code)
