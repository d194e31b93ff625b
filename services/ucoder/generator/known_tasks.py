"""The tasks of benchmarks in their public files, so that no problem repeats one."""

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from ucoder.core.decontamination import KnownTask
from ucoder.errors import Misconfigured
from ucoder.runtime.dataset_files import read_rows

STATEMENT = ("prompt", "text", "question_content", "complete_prompt", "instruct_prompt", "content")
CODE = ("code", "starter_code", "code_prompt", "canonical_solution")
NAME = ("task_id", "question_id", "id")


def known_tasks(benchmarks: Iterable[str]) -> Iterator[KnownTask]:
    """Every task of the named files: HumanEval, MBPP, EvalPlus, LiveCodeBench, BigCodeBench, FullStackBench and
    SandboxFusion's editions of them; `seed` names the two that ship with ucoder. Raises Misconfigured naming file and
    line.
    """
    for name in dict.fromkeys(benchmarks):
        files = [str(resources.files("ucoder.seed") / f) for f in ("benchmark.jsonl.gz", "dev.jsonl.gz")]
        for file in files if name == "seed" else [name]:
            called = name if name == "seed" else Path(name).name.split(".")[0]
            for number, entry in read_rows(file):
                try:
                    statement = next(str(entry[field]) for field in STATEMENT if entry.get(field))
                except StopIteration:
                    raise Misconfigured(f"{file}:{number}: no task with any of {', '.join(STATEMENT)}.") from None
                task = next((str(entry[field]) for field in NAME if field in entry), str(number))
                code = "\n".join(str(entry[field]) for field in CODE if entry.get(field))
                yield KnownTask(called, task, statement, code)
