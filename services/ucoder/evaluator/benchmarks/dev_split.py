"""Loads a run's benchmark and dev split, and checks that they share no task: never choose on what is reported."""

from collections.abc import Sequence

from ucoder.core.validation_split import words_of
from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmarks import load_benchmark
from ucoder.evaluator.benchmarks.task import BenchmarkTask
from ucoder.v1 import config_pb2

Tasks = tuple[BenchmarkTask, ...]


def load_with_dev_split(config: config_pb2.EvaluationConfig) -> tuple[Tasks, Tasks]:
    """Returns the tasks that a run reports and those that the promotion gate decides on. Raises Misconfigured."""
    reported = load_benchmark(config.benchmark, config.benchmark_format)
    dev = load_benchmark(config.dev, config.dev_format, dev=True)
    check_disjoint(reported, dev)
    return reported, dev


def check_disjoint(reported: Sequence[BenchmarkTask], dev: Sequence[BenchmarkTask]) -> None:
    """Raises Misconfigured if a task is in both: tasks with the same words, or with the same tests.

    The promotion gate chooses the iteration that is best on the dev split. On a task that is also reported it would
    choose by luck, and the report would call that luck a gain.
    """
    by_words = {words_of(task.prompt): task.task_id for task in reported}
    by_tests = {task.tests: task.task_id for task in reported}
    shared = [
        (task.task_id, known)
        for task in dev
        if (known := by_words.get(words_of(task.prompt)) or by_tests.get(task.tests)) is not None
    ]
    if shared:
        dev_id, reported_id = shared[0]
        raise Misconfigured(
            f"evaluation.dev: {len(shared)} of its {len(dev)} tasks are in evaluation.benchmark too, {dev_id} for one "
            f"(there {reported_id}); never choose on what is reported: give another file, or one without these tasks."
        )
