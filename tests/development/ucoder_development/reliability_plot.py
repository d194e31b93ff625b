"""Draws the calibration of the confidence: its reliability, and precision by the share of tasks that are kept."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ucoder.cli.shared.plot_file import save_plot
from ucoder.core.matrix import Floats
from ucoder.runs.plot_colors import BLUE, GREY, ORANGE
from ucoder_development.calibration_measures import ReliabilityBin

OURS, THEIRS, PERFECT = BLUE, ORANGE, GREY


def draw_reliability(file: Path, bins: Sequence[ReliabilityBin], curves: dict[str, tuple[Floats, Floats]]) -> None:
    """Draws both plots. bins: points of the reliability. curves: by name confidences and whether right, ours first."""
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
    """Draws one point for each distinct confidence, because tasks of equal confidence are kept together."""
    for color, (name, (confidence, truth)) in zip((OURS, THEIRS), curves.items(), strict=False):
        order = np.argsort(-confidence, kind="stable")
        last = np.append(np.diff(confidence[order]) < 0, True)
        kept = np.arange(1, len(truth) + 1)
        axes.plot((kept / len(truth))[last], (np.cumsum(truth[order]) / kept)[last], color=color, label=name)
    axes.axhline(0.95, color=PERFECT, linestyle="--", linewidth=1)
    axes.set(xlabel="share of the tasks kept, most confident first", ylabel="share of those right", xlim=(0, 1))
    axes.legend(loc="lower left", frameon=False)
