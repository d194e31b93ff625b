"""The judged answers to the tasks of a benchmark, from a served model or from samples that were made elsewhere."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ucoder.errors import Reject
from ucoder.evaluator.answer_judging import AnswerJudge, JudgedProgram
from ucoder.evaluator.benchmarks import BenchmarkTask
from ucoder.models import Model, SamplingParameters
from ucoder.models.prompts import Prompts
from ucoder.v1 import config_pb2, evaluator_pb2

T = TypeVar("T")
MODEL_TASKS = 32
"""Number of tasks that a model is asked about at the same time: enough to fill its batches."""
SANDBOX_TASKS = 8
"""Number of tasks whose given samples are in the sandbox's queue: enough that no cell waits."""


@dataclass(frozen=True, slots=True)
class TaskAnswers:
    """The judged answers to one task."""

    task: BenchmarkTask
    sampled: list[JudgedProgram]
    """Sampled at the usual temperature, or made elsewhere."""
    cool: list[JudgedProgram] = field(default_factory=list)
    """Sampled at a low temperature."""
    greedy: list[JudgedProgram] = field(default_factory=list)
    """The most likely answer alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSampling:
    """The way a model is asked for answers. Every checkpoint is asked the same."""

    model: Model
    name: str
    """The name by which the model server knows the checkpoint."""
    profile: str
    """Prompt profile."""
    sampling: SamplingParameters
    samples: int
    cool: SamplingParameters | None = None
    """The parameters of further samples at a low temperature; None: there are none."""
    cool_samples: int = 0

    @classmethod
    def of(cls, model: Model, name: str, profile: str, config: config_pb2.EvaluationConfig) -> "ModelSampling":
        """Reads from a run's configuration how the benchmark is sampled."""
        return cls(
            model=model, name=name, profile=profile, samples=config.samples, cool_samples=config.cool_samples,
            sampling=SamplingParameters.of(config.sampling),
            cool=SamplingParameters.of(config.sampling, temperature=config.cool_temperature),
        )  # fmt: skip

    def answers(
        self, judge: AnswerJudge, tasks: Sequence[BenchmarkTask], known: frozenset[str] = frozenset()
    ) -> AsyncGenerator[TaskAnswers]:
        """Yields the answers to each task that is not `known` once they are judged, in any order; one is greedy.

        The random numbers depend on the task's place alone, so differences between two checkpoints are paired. Leaving
        the iteration stops the work.
        """
        prompts = Prompts.load(self.profile)
        limit = asyncio.Semaphore(MODEL_TASKS)

        async def answer(place: int, task: BenchmarkTask) -> TaskAnswers:
            prompt, stop = task.render(prompts)

            async def complete(n: int, sampling: SamplingParameters) -> list[str]:
                if not n:
                    return []
                completions = await self.model.complete(
                    self.name, prompt, n=n, sampling=sampling, stop=stop, seed=1000 * place
                )
                return [task.program(completion.text) for completion in completions]

            async with limit:
                sampled, cool, greedy = await asyncio.gather(
                    complete(self.samples, self.sampling),
                    complete(self.cool_samples if self.cool else 0, self.cool or self.sampling),
                    complete(1, SamplingParameters(0.0, self.sampling.top_p, self.sampling.max_tokens)),
                )
                judged = iter(await judge.judge(task, [*sampled, *cool, *greedy]))
            return TaskAnswers(task, *([next(judged) for _ in programs] for programs in (sampled, cool, greedy)))

        return _as_completed(answer(place, task) for place, task in enumerate(tasks) if task.task_id not in known)


def programs_of_samples(
    tasks: Sequence[BenchmarkTask], samples: Sequence[evaluator_pb2.Sample], *, sanitize: bool = False
) -> dict[str, list[str]]:
    """Returns the programs of each task, in the order of the samples, which have the official harnesses' format.

    A completion is used unchanged, behind the prompt, as the official harnesses do; `sanitize` removes fences and
    prose. Raises Reject when a sample names none of the tasks, or a task has no sample.
    """
    known = {task.task_id: task for task in tasks}
    programs: dict[str, list[str]] = defaultdict(list)
    for number, sample in enumerate(samples, 1):
        task = known.get(sample.task_id)
        if task is None:
            raise Reject(f"sample {number}: the benchmark has no task {sample.task_id!r}.")
        if sanitize:
            program = task.program(sample.solution or sample.completion)
        elif sample.solution:
            program = task.whole_program(sample.solution)
        else:
            program = task.verbatim_program(sample.completion)
        programs[sample.task_id].append(program)
    if missing := [name for name in known if name not in programs]:
        raise Reject(f"{len(missing)} of {len(known)} tasks have no sample, the first is {missing[0]}.")
    return programs


def judge_programs(
    judge: AnswerJudge, tasks: Sequence[BenchmarkTask], programs: dict[str, list[str]]
) -> AsyncGenerator[TaskAnswers]:
    """Yields the answers to each task once they are judged, in any order. Leaving the iteration stops the work."""
    limit = asyncio.Semaphore(SANDBOX_TASKS)

    async def answer(task: BenchmarkTask) -> TaskAnswers:
        async with limit:
            return TaskAnswers(task, await judge.judge(task, programs[task.task_id]))

    return _as_completed(answer(task) for task in tasks)


async def in_order(
    answers: AsyncGenerator[TaskAnswers],
    tasks: Sequence[BenchmarkTask],
    on_answer: Callable[[TaskAnswers], None] = lambda _: None,
) -> list[TaskAnswers]:
    """Collects the answers and returns them in the order of the tasks; calls `on_answer` with each as it comes."""
    by_task = {}
    async with contextlib.aclosing(answers):
        async for answered in answers:
            by_task[answered.task.task_id] = answered
            on_answer(answered)
    return [by_task[task.task_id] for task in tasks]


async def _as_completed(work: Iterable[Awaitable[T]]) -> AsyncGenerator[T]:
    """Yields results as they come; cancels the rest when the iteration is left or fails."""
    running = [asyncio.ensure_future(awaitable) for awaitable in work]
    try:
        for finished in asyncio.as_completed(running):
            yield await finished
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
