"""Answers of a served model: every task is put in its benchmark's own words, and every checkpoint is asked the same."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Sequence
from typing import TypeVar

from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.evaluator.answers import Answers
from ucoder.evaluator.benchmarks import BenchmarkTask, program
from ucoder.models import Model, SamplingParameters
from ucoder.models.prompts import Prompts

T = TypeVar("T")
AT_ONCE = 32  # tasks asked about at the same time: enough to fill the model's batches


async def asked(
    model: Model,
    judge: AnswerJudge,
    tasks: Sequence[BenchmarkTask],
    name: str,
    profile: str,
    draw: SamplingParameters,
    *,
    samples: int,
    cool: SamplingParameters | None = None,
    cool_samples: int = 0,
) -> AsyncGenerator[Answers]:
    """Answers to each task as they are judged, in any order: `samples` drawn with `draw`, and one greedily.

    The random numbers depend on the task's place alone, so differences between two checkpoints are paired. Leaving the
    iteration stops the work.
    """
    prompts = Prompts.load(profile)
    room = asyncio.Semaphore(AT_ONCE)

    async def answer(place: int, task: BenchmarkTask) -> Answers:
        ask = prompts.render("benchmark", problem=task.prompt, question=task.asked, opening=task.opening)
        stop = prompts.stop("benchmark", default=task.stop)
        if not task.opening:  # the answer opens its blocks itself, and the last one counts
            stop = tuple(one for one in stop if one != "\n```\n")

        async def complete(n: int, how: SamplingParameters) -> list[str]:
            if not n:
                return []
            found = await model.complete(name, ask, n=n, sampling=how, stop=stop, seed=1000 * place)
            return [program(task, completion.text) for completion in found]

        async with room:
            drawn, cooled, best = await asyncio.gather(
                complete(samples, draw),
                complete(cool_samples if cool else 0, cool or draw),
                complete(1, SamplingParameters(0.0, draw.top_p, draw.max_tokens)),
            )
            judged = await judge.judge(task, [*drawn, *cooled, *best])
        split = len(drawn), len(drawn) + len(cooled)
        return Answers(task, judged[: split[0]], judged[split[0] : split[1]], judged[split[1] :])

    async with contextlib.aclosing(as_finished([answer(place, task) for place, task in enumerate(tasks)])) as coming:
        async for one in coming:
            yield one


async def as_finished(work: Sequence[Awaitable[T]]) -> AsyncGenerator[T]:
    """Results as they come; what is still under way when the iteration is left, or fails, is stopped."""
    under_way = [asyncio.ensure_future(one) for one in work]
    try:
        for one in asyncio.as_completed(under_way):
            yield await one
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
