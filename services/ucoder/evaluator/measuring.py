"""pass@1 of a served model, as sampled, cool, greedy and by majority: what sharpening would give stands beside it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ucoder.core import diversity
from ucoder.core.pass_at_k import bootstrap
from ucoder.evaluator.benchmarks import Task, program
from ucoder.evaluator.judging import Judge, Judged
from ucoder.models import Model
from ucoder.models.prompts import Prompts
from ucoder.models.sampling import draw
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

AT_ONCE = 32  # tasks asked about at the same time: enough to fill the model's batches


@dataclass(frozen=True, slots=True)
class Measured:
    """Scores, and the sampled programs for telemetry."""

    scores: list[pb.Score]
    programs: list[str]


@dataclass(frozen=True, slots=True)
class _Answers:
    """What became of the completions of one task."""

    sampled: list[Judged]
    cool: list[Judged]
    greedy: list[Judged]
    programs: list[str]


async def measure(
    model: Model,
    judge: Judge,
    tasks: Sequence[Task],
    name: str,
    profile: str,
    config: config_pb2.EvaluationConfig,
    *,
    label: str,
    samples: int,
    cool: bool = True,
) -> Measured:
    """Scores of the checkpoint called `name`.

    Every checkpoint is asked with the same prompts and the same random numbers, so differences between two of them are
    paired. `label` names the tasks in the scores; a benchmark with groups is scored for each group as well.
    """
    prompts = Prompts.load(profile)
    room = asyncio.Semaphore(AT_ONCE)

    async def answer(index: int, task: Task) -> _Answers:
        ask, stop = prompts.render("solution", problem=task.prompt), prompts.stop("solution")

        async def complete(n: int, temperature: float) -> list[str]:
            if not n:
                return []
            how = draw(config.sampling, temperature=temperature)
            found = await model.complete(name, ask, n=n, draw=how, stop=stop, seed=1000 * index)
            return [program(task, completion.text) for completion in found]

        async with room:
            drawn, cooled, best = await asyncio.gather(
                complete(samples, config.sampling.temperature),
                complete(config.cool_samples if cool else 0, config.cool_temperature),
                complete(1, 0.0),
            )
            judged = await judge.judge(task, [*drawn, *cooled, *best])
        split = len(drawn), len(drawn) + len(cooled)
        return _Answers(judged[: split[0]], judged[split[0] : split[1]], judged[split[1] :], drawn)

    answers = await asyncio.gather(*(answer(index, task) for index, task in enumerate(tasks)))
    scores = _scores(label, answers)
    for group in sorted({task.group for task in tasks if task.group}):
        part = [one for task, one in zip(tasks, answers, strict=True) if task.group == group]
        scores += _scores(f"{label}.{group}", part)
    return Measured(scores, [text for one in answers for text in one.programs])


def entropy_and_distinct(programs: Sequence[str]) -> tuple[float, float]:
    """Lexical entropy in bits and the share of distinct programs: both fall when a model collapses."""
    found = diversity.measure(programs)
    return found.token_entropy_bits, found.distinct


def _scores(label: str, answers: Sequence[_Answers]) -> list[pb.Score]:
    made = [
        _score(label, "pass_at_1", [_share(one.sampled) for one in answers], len(answers[0].sampled)),
        _score(label, "greedy", [_share(one.greedy) for one in answers], 1),
        _score(label, "majority", [_majority(one.sampled) for one in answers], len(answers[0].sampled)),
    ]
    if answers[0].cool:
        made.append(_score(label, "cool", [_share(one.cool) for one in answers], len(answers[0].cool)))
    return made


def _score(tasks: str, metric: str, per_task: list[float], samples: int) -> pb.Score:
    interval = bootstrap(per_task)
    return pb.Score(
        tasks=tasks,
        metric=metric,
        value=interval.mean,
        low=interval.low,
        high=interval.high,
        task_count=len(per_task),
        samples_per_task=samples,
        per_task=per_task,
    )


def _share(judged: Sequence[Judged]) -> float:
    return sum(one.right for one in judged) / len(judged)


def _majority(judged: Sequence[Judged]) -> float:
    """1 when the most common behaviour is right; ties count by their share."""
    counts = Counter(one.behaviour for one in judged)
    most = max(counts.values())
    tied = {behaviour for behaviour, count in counts.items() if count == most}
    right = {one.behaviour for one in judged if one.right}
    return len(tied & right) / len(tied)
