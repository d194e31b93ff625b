"""pass@k of samples made elsewhere, in the official harnesses' format."""

from collections import defaultdict
from collections.abc import Sequence

from ucoder.core.pass_at_k import bootstrap, pass_at_k
from ucoder.evaluator.benchmarks import Task, program
from ucoder.evaluator.judging import Judge
from ucoder.runtime.errors import Reject
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import evaluator_pb2

KS = (1, 10, 100)


async def score_samples(judge: Judge, tasks: Sequence[Task], samples: Sequence[evaluator_pb2.Sample]) -> list[pb.Score]:
    """pass@1, 10, 100, those for which every task has samples enough (Chen et al. 2021, equation 1).

    Raises Reject naming the task when a sample names none of the benchmark's, or a task has no sample.
    """
    known = {task.task_id: task for task in tasks}
    grouped: dict[str, list[str]] = defaultdict(list)
    for number, sample in enumerate(samples, 1):
        if sample.task_id not in known:
            raise Reject(f"sample {number}: the benchmark has no task {sample.task_id!r}.")
        grouped[sample.task_id].append(sample.completion)
    if missing := [name for name in known if name not in grouped]:
        raise Reject(f"{len(missing)} tasks have no sample, the first is {missing[0]}.")
    right = {}
    for name, completions in grouped.items():
        judged = await judge.judge(known[name], [program(known[name], text) for text in completions])
        right[name] = (len(judged), sum(one.right for one in judged))
    fewest = min(n for n, _ in right.values())
    scores = []
    for k in (k for k in KS if k <= fewest):
        per_task = [pass_at_k(n, correct, k) for n, correct in right.values()]
        interval = bootstrap(per_task)
        scores.append(
            pb.Score(
                tasks="benchmark",
                metric=f"pass@{k}",
                value=sum(per_task) / len(per_task),
                low=interval.low,
                high=interval.high,
                task_count=len(per_task),
                samples_per_task=fewest,
                per_task=per_task,
            )
        )
    return scores
