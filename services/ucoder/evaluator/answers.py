"""What became of the answers to a benchmark's tasks, and the scores that they make."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ucoder.core.pass_at_k import bootstrap, pass_at_k
from ucoder.evaluator.answer_judging import Judged
from ucoder.evaluator.benchmarks import BenchmarkTask
from ucoder.v1 import artifacts_pb2 as pb

KS = (1, 10, 100)


@dataclass(frozen=True, slots=True)
class Answers:
    """The judged answers to one task: as sampled, or made elsewhere; at a low temperature; the single likeliest."""

    task: BenchmarkTask
    sampled: list[Judged]
    cool: list[Judged] = field(default_factory=list)
    greedy: list[Judged] = field(default_factory=list)


def scores(label: str, answers: Sequence[Answers]) -> list[pb.Score]:
    """The scores of tasks called `label`, then those of each of their parts, `label.PART`.

    pass@k for those of KS for which every task has samples enough (arXiv 2107.03374, equation 1); greedy,
    majority and cool where a model answered.
    """
    made = _scores(label, answers)
    for part in sorted({part for one in answers for part in one.task.groups}):
        made += _scores(f"{label}.{part}", [one for one in answers if part in one.task.groups])
    return made


def _scores(label: str, answers: Sequence[Answers]) -> list[pb.Score]:
    fewest = min(len(one.sampled) for one in answers)
    made = []
    for k in (k for k in KS if k <= fewest):
        per_task = [pass_at_k(len(one.sampled), sum(each.right for each in one.sampled), k) for one in answers]
        made.append(_score(label, f"pass_at_{k}", per_task, fewest))
    if all(one.greedy for one in answers):  # a model answered
        made.append(_score(label, "greedy", [_share(one.greedy) for one in answers], 1))
        if fewest:
            made.append(_score(label, "majority", [_majority(one.sampled) for one in answers], fewest))
    if all(one.cool for one in answers):
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
