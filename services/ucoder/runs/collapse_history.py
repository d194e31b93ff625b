"""The signs of collapse of a run, iteration by iteration, for the gate and for those who look on."""

from collections.abc import Mapping

from ucoder.core.collapse_metrics import SIGNS, collapsed
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb


async def signs_of_run(artifacts: Artifacts, run: str, line: Mapping[int, pb.Evaluation]) -> list[dict[str, float]]:
    """Signs by name for each iteration from the base on, up to the first evaluation that is missing."""
    found: list[dict[str, float]] = []
    while len(found) in line:
        index = len(found)
        dataset = await artifacts.get(pb.Dataset, run, f"{index:03d}") if index else pb.Dataset()
        found.append(signs_of(line[index], dataset))
    return found


def signs_of(evaluation: pb.Evaluation, dataset: pb.Dataset) -> dict[str, float]:
    """The signs of one iteration that are known: of what it was trained on, and of the model that came out."""
    probe = evaluation.probe
    signs = {field.name: value for field, value in dataset.signs.ListFields()}
    if probe.claims:
        signs["test_accuracy"] = probe.true_claims / probe.claims
    if probe.selected:
        signs["selection_precision"] = probe.right / probe.selected
    return signs


def collapses(config: pb.Run, signs: list[dict[str, float]]) -> dict[int, str]:
    """What collapsed, in words, by iteration in which something did."""
    least = {name: getattr(config.config.gate.collapse, name) for name in SIGNS}
    found = {index: collapsed(signs[: index + 1], least) for index in range(len(signs))}
    return {index: words for index, words in found.items() if words}
