"""Answers made elsewhere, in the official harnesses' format."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence

from ucoder.errors import Reject
from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.evaluator.answers import Answers
from ucoder.evaluator.benchmarks import BenchmarkTask, joined, program
from ucoder.evaluator.model_answers import as_finished
from ucoder.v1 import evaluator_pb2

AT_ONCE = 8  # tasks in the sandbox's queue: enough that no cell waits


def programs_of(
    tasks: Sequence[BenchmarkTask], samples: Sequence[evaluator_pb2.Sample], *, sanitize: bool = False
) -> dict[str, list[str]]:
    """The programs of each task, in the order of the samples.

    A completion is taken as it is, behind the prompt, as the official harnesses do; `sanitize` takes it out of fences
    and prose. Raises Reject when a sample names none of the tasks, or a task has no sample.
    """
    known = {task.task_id: task for task in tasks}
    found: dict[str, list[str]] = defaultdict(list)
    for number, sample in enumerate(samples, 1):
        if sample.task_id not in known:
            raise Reject(f"sample {number}: the benchmark has no task {sample.task_id!r}.")
        found[sample.task_id].append(_program(known[sample.task_id], sample, sanitize))
    if missing := [name for name in known if name not in found]:
        raise Reject(f"{len(missing)} of {len(known)} tasks have no sample, the first is {missing[0]}.")
    return found


async def judged(
    judge: AnswerJudge, tasks: Sequence[BenchmarkTask], programs: dict[str, list[str]]
) -> AsyncGenerator[Answers]:
    """Answers to each task as they are judged, in any order. Leaving the iteration stops the work."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(task: BenchmarkTask) -> Answers:
        async with room:
            return Answers(task, await judge.judge(task, programs[task.task_id]))

    async with contextlib.aclosing(as_finished([one(task) for task in tasks])) as coming:
        async for answers in coming:
            yield answers


def _program(task: BenchmarkTask, sample: evaluator_pb2.Sample, sanitize: bool) -> str:
    if sanitize:
        return program(task, sample.solution or sample.completion)
    return task.preamble + sample.solution if sample.solution else joined(task, sample.completion)
