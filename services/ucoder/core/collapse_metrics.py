"""The collapse metrics: their values of one iteration, and the rule that says when one has fallen too far.

A loop that trains on its own output can lose its variety, or its judgement, before or without its benchmark showing it
(R-Zero, TTRL, SRT: pseudo-labels decay over the rounds). Each metric is compared with its own first value, because a
low value for one model is a high one for another.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from ucoder.core.diversity import entropy_bits, tree_entropy_bits

METRICS = (
    "distinct_problems", "distinct_solutions", "tree_entropy", "cluster_entropy", "test_accuracy",
    "selection_precision",
)  # fmt: skip


def dataset_metrics(
    *,
    cluster_sizes: Sequence[Sequence[int]],
    repeated: int,
    programs: int,
    distinct_programs: int,
    training_programs: Sequence[str],
) -> dict[str, float]:
    """Returns the metrics of the data that one iteration made. A metric that cannot be computed is absent.

    cluster_sizes: the number of programs in each cluster, for each problem with clusters. repeated: attempts at
    problems that the run had already. programs, distinct_programs: the programs sampled, and those that differ within
    their problem. training_programs: the programs of the dataset's rows.
    """
    metrics, problems = {}, len(cluster_sizes)
    if problems:
        metrics["distinct_problems"] = problems / (problems + repeated)
        entropies = (entropy_bits(Counter(dict(enumerate(sizes))).elements()) for sizes in cluster_sizes)
        metrics["cluster_entropy"] = sum(entropies) / problems
    if programs:
        metrics["distinct_solutions"] = distinct_programs / programs
    if training_programs:
        metrics["tree_entropy"] = tree_entropy_bits(training_programs)
    return metrics


def model_metrics(*, claims: int, true_claims: int, selected: int, right: int) -> dict[str, float]:
    """Returns the metrics of a model on tasks with known answers. A metric that cannot be computed is absent.

    claims, true_claims: expected values that the model's tests state, and the correct ones. selected, right: tasks for
    which a program was selected, and those where it is correct.
    """
    metrics = {}
    if claims:
        metrics["test_accuracy"] = true_claims / claims
    if selected:
        metrics["selection_precision"] = right / selected
    return metrics


def collapses(history: Sequence[Mapping[str, float]], least: Mapping[str, float]) -> dict[int, str]:
    """Returns what collapsed, in words, by iteration. Iterations without a collapse are absent.

    history: metrics by name for each iteration from the base on, without those that are unknown. least: the share of
    its first value (0 to 1) that a metric must keep. 0 or an absent metric sets no limit.
    """
    texts = {index: collapsed(history[: index + 1], least) for index in range(len(history))}
    return {index: text for index, text in texts.items() if text}


def collapsed(history: Sequence[Mapping[str, float]], least: Mapping[str, float]) -> str:
    """Returns the metrics of the last iteration that fell too far, in words, or the empty text where none did."""
    fallen = []
    for name, value in history[-1].items():
        first = next(metrics[name] for metrics in history if name in metrics)
        if value < least.get(name, 0.0) * first:
            fallen.append(f"{name.replace('_', ' ')} {value:.3g}, less than {least[name]:g} of its first {first:.3g}")
    return "; ".join(fallen)
