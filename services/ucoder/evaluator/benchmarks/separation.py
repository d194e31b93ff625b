"""Never choose on what is reported: the dev split and the benchmark must share no task."""

from collections.abc import Sequence

from ucoder.core.validation_split import words_of
from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmarks.task import BenchmarkTask


def separate(reported: Sequence[BenchmarkTask], dev: Sequence[BenchmarkTask]) -> None:
    """Raises Misconfigured where a task of the one is one of the other: the same words, or the same tests.

    The gate picks the iteration that is best on the dev split; on a task that is reported too, it would pick by luck
    there, and the report would call that luck a gain.
    """
    by_words = {words_of(task.prompt): task.task_id for task in reported}
    by_tests = {task.tests: task.task_id for task in reported}
    shared = [
        (task.task_id, known)
        for task in dev
        if (known := by_words.get(words_of(task.prompt)) or by_tests.get(task.tests)) is not None
    ]
    if shared:
        mine, theirs = shared[0]
        raise Misconfigured(
            f"evaluation.dev: {len(shared)} of its {len(dev)} tasks are in evaluation.benchmark too, {mine} for one "
            f"(there {theirs}); never choose on what is reported: give another file, or one without these tasks."
        )
