"""The confidence as a picture: what was stated against what was right, and how many can be kept at which precision."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ucoder.cli.shared.plot_file import save_plot
from ucoder.core.matrix import Floats
from ucoder.core.selection.calibration import ReliabilityBin

OURS, THEIRS, PERFECT = "#2563eb", "#ea580c", "#6b7280"


def draw(file: Path, bins: Sequence[ReliabilityBin], curves: dict[str, tuple[Floats, Floats]]) -> None:
    """bins: the reliability's points. curves: by name confidences and whether right, ours first."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _reliability(left, bins)
    _precision(right, curves)
    save_plot(figure, file)


def _reliability(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.plot([0, 1], [0, 1], color=PERFECT, linestyle="--", label="perfect")
    total = sum(each.size for each in bins)
    for each in bins:
        axes.plot(each.confidence, each.right, "o", color=OURS, markersize=4 + 24 * (each.size / total) ** 0.5)
    axes.plot([each.confidence for each in bins], [each.right for each in bins], color=OURS, label="default strategy")
    axes.set(xlabel="confidence, cross-validated", ylabel="share right", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left", frameon=False)


def _precision(axes: Axes, curves: dict[str, tuple[Floats, Floats]]) -> None:
    """Equal confidences are kept together: one point for each distinct one."""
    for color, (name, (confidence, truth)) in zip((OURS, THEIRS), curves.items(), strict=False):
        order = np.argsort(-confidence, kind="stable")
        last = np.append(np.diff(confidence[order]) < 0, True)
        kept = np.arange(1, len(truth) + 1)
        axes.plot((kept / len(truth))[last], (np.cumsum(truth[order]) / kept)[last], color=color, label=name)
    axes.axhline(0.95, color=PERFECT, linestyle="--", linewidth=1)
    axes.set(xlabel="share of the tasks kept, most confident first", ylabel="share of those right", xlim=(0, 1))
    axes.legend(loc="lower left", frameon=False)
