"""pass@1 of a served model, as sampled, cool, greedy and by majority: what sharpening would give stands beside it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from ucoder.core import diversity
from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.evaluator.answers import Answers, scores
from ucoder.evaluator.benchmarks import BenchmarkTask
from ucoder.evaluator.model_answers import asked
from ucoder.models import Model, SamplingParameters
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


@dataclass(frozen=True, slots=True)
class ServedScores:
    """Scores, and the answers that they come from, in the order of the tasks."""

    scores: list[pb.Score]
    answers: list[Answers]

    @property
    def programs(self) -> list[str]:
        """The sampled programs, for telemetry."""
        return [judged.program for one in self.answers for judged in one.sampled]


async def measure(
    model: Model,
    judge: AnswerJudge,
    tasks: Sequence[BenchmarkTask],
    name: str,
    profile: str,
    config: config_pb2.EvaluationConfig,
    *,
    label: str,
    samples: int,
    cool: bool = True,
) -> ServedScores:
    """Scores of the checkpoint called `name`; `label` names the tasks in them."""
    found = {}
    coming = asked(
        model, judge, tasks, name, profile, SamplingParameters.of(config.sampling), samples=samples,
        cool=SamplingParameters.of(config.sampling, temperature=config.cool_temperature) if cool else None,
        cool_samples=config.cool_samples,
    )  # fmt: skip
    async with contextlib.aclosing(coming):
        async for one in coming:
            found[one.task.task_id] = one
    answers = [found[task.task_id] for task in tasks]
    return ServedScores(scores(label, answers), answers)


def entropy_and_distinct(programs: Sequence[str]) -> tuple[float, float]:
    """Lexical entropy in bits and the share of distinct programs: both fall when a model collapses."""
    found = diversity.measure(programs)
    return found.token_entropy_bits, found.distinct
