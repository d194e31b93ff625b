"""Reads the collapse metrics of a run, iteration by iteration, for the promotion gate, the dashboard and the report.

The metrics and the rule are in core/collapse_metrics.py.
"""

from collections.abc import Mapping

from ucoder.core.collapse_metrics import METRICS, collapses, model_metrics
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb


async def collapse_history(
    artifacts: Artifacts, run: str, evaluations: Mapping[int, pb.Evaluation]
) -> list[dict[str, float]]:
    """Returns the known metrics of each iteration by name: of its training data, and of the model trained on them.

    The first is the base; the history ends before the first evaluation that is missing.
    evaluations: those of the loop's own checkpoints by iteration.
    """
    history: list[dict[str, float]] = []
    while len(history) in evaluations:
        index = len(history)
        dataset = await artifacts.get(pb.Dataset, run, f"{index:03d}") if index else pb.Dataset()
        of_data = {field.name: value for field, value in dataset.signs.ListFields()}
        probe = evaluations[index].probe
        of_model = model_metrics(
            claims=probe.claims, true_claims=probe.true_claims, selected=probe.selected, right=probe.right
        )
        history.append(of_data | of_model)
    return history


def collapses_of(run: pb.Run, history: list[dict[str, float]]) -> dict[int, str]:
    """Returns what collapsed by the run's configuration, in words, by iteration. Other iterations are absent."""
    return collapses(history, {name: getattr(run.config.gate.collapse, name) for name in METRICS})
