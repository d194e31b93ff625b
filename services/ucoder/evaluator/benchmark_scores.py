"""The scores of a benchmark and of its parts: pass@k, greedy, majority and low temperature, each with its interval.

A rise of pass@1 that only sharpens the model's distribution shows in the other scores, which stand beside it.
"""

from collections import Counter
from collections.abc import Sequence

from ucoder.core.pass_at_k import bootstrap, pass_at_k
from ucoder.evaluator.answer_judging import JudgedProgram
from ucoder.evaluator.task_answers import TaskAnswers
from ucoder.v1 import artifacts_pb2 as pb

KS = (1, 10, 100)


def benchmark_scores(label: str, answers: Sequence[TaskAnswers]) -> list[pb.Score]:
    """Returns the scores of tasks called `label`, then those of each of their parts, called `label.PART`.

    pass@k (arXiv 2107.03374, equation 1) is given for those of KS for which every task has enough samples; greedy,
    majority and cool if a model answered.
    """
    scores = _scores(label, answers)
    for part in sorted({part for answered in answers for part in answered.task.groups}):
        scores += _scores(f"{label}.{part}", [answered for answered in answers if part in answered.task.groups])
    return scores


def _scores(label: str, answers: Sequence[TaskAnswers]) -> list[pb.Score]:
    fewest = min(len(answered.sampled) for answered in answers)
    scores = []
    for k in (k for k in KS if k <= fewest):
        counts = [(len(answered.sampled), sum(each.right for each in answered.sampled)) for answered in answers]
        scores.append(_score(label, f"pass_at_{k}", [pass_at_k(n, right, k) for n, right in counts], fewest))
    if all(answered.greedy for answered in answers):  # a model answered
        scores.append(_score(label, "greedy", [_share_right(answered.greedy) for answered in answers], 1))
        if fewest:
            scores.append(_score(label, "majority", [_majority(answered.sampled) for answered in answers], fewest))
    if all(answered.cool for answered in answers):
        cool = [_share_right(answered.cool) for answered in answers]
        scores.append(_score(label, "cool", cool, len(answers[0].cool)))
    return scores


def _score(tasks: str, metric: str, per_task: list[float], samples: int) -> pb.Score:
    interval = bootstrap(per_task)
    return pb.Score(
        tasks=tasks, metric=metric, value=interval.mean, low=interval.low, high=interval.high,
        task_count=len(per_task), samples_per_task=samples, per_task=per_task,
    )  # fmt: skip


def _share_right(programs: Sequence[JudgedProgram]) -> float:
    return sum(program.right for program in programs) / len(programs)


def _majority(programs: Sequence[JudgedProgram]) -> float:
    """Returns 1 if the most common behaviour is right; if several are equally common, the share of right ones."""
    counts = Counter(program.behaviour for program in programs)
    most = max(counts.values())
    tied = {behaviour for behaviour, count in counts.items() if count == most}
    right = {program.behaviour for program in programs if program.right}
    return len(tied & right) / len(tied)
