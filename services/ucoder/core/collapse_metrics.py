"""The collapse metrics: their values of one iteration, and the rule that says when one has fallen too far.

A loop that trains on its own output can lose its variety, or its judgement, before or without its benchmark showing it
(R-Zero, TTRL, SRT: pseudo-labels decay over the rounds). Each metric is compared with its own first value, because a
low value for one model is a high one for another.
"""

from collections.abc import Mapping, Sequence

from ucoder.core.diversity import entropy_bits

METRICS = (
    "distinct_problems", "distinct_solutions", "tree_entropy", "cluster_entropy", "test_accuracy",
    "selection_precision",
)  # fmt: skip


def dataset_metrics(
    *,
    problems: int,
    repeated: int,
    cluster_entropy: float,
    programs: int,
    distinct_programs: int,
    tree_entropy: float | None,
) -> dict[str, float]:
    """Returns the metrics of the data that one iteration made. A metric that cannot be computed is absent.

    problems: those with clusters. repeated: attempts at problems that the run had already. cluster_entropy: the mean
    entropy of the cluster sizes in bits, 0 when all programs agree. programs, distinct_programs: the programs sampled,
    and those that differ within their problem. tree_entropy: that of the dataset's programs, None where it has none.
    """
    metrics = {}
    if problems:
        metrics["distinct_problems"] = problems / (problems + repeated)
        metrics["cluster_entropy"] = cluster_entropy
    if programs:
        metrics["distinct_solutions"] = distinct_programs / programs
    if tree_entropy is not None:
        metrics["tree_entropy"] = tree_entropy
    return metrics


def cluster_entropy_bits(sizes: Sequence[int]) -> float:
    """Returns the entropy of the cluster sizes of one problem, in bits: 0 when all programs agree."""
    return entropy_bits(number for number, size in enumerate(sizes) for _ in range(size))


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
