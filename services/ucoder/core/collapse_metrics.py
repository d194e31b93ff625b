"""Signs that a loop which trains on its own output collapses: its variety, or its judgement, falls from where it began.

Published loops lose both before or without their benchmark showing it (R-Zero, TTRL, SRT: pseudo-labels decay over the
rounds), so each sign is held against its own first value: what is little for one model is plenty for another.
"""

from collections.abc import Mapping, Sequence

METRICS = (
    "distinct_problems", "distinct_solutions", "tree_entropy", "cluster_entropy", "test_accuracy",
    "selection_precision",
)  # fmt: skip


def collapsed(signs: Sequence[Mapping[str, float]], least: Mapping[str, float]) -> str:
    """Which signs of the last iteration fell too far, in words; empty where none did.

    signs: values by name for each iteration from the base on; what an iteration cannot tell is absent. least: the share
    of its first value (0 to 1) that a sign must keep; 0 or absent asks for nothing.
    """
    fallen = []
    for name, value in signs[-1].items():
        first = next(one[name] for one in signs if name in one)
        if value < least.get(name, 0.0) * first:
            fallen.append(f"{name.replace('_', ' ')} {value:.3g}, less than {least[name]:g} of its first {first:.3g}")
    return "; ".join(fallen)
