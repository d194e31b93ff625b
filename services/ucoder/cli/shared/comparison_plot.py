"""The plot of a comparison: a group of bars for each benchmark, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ucoder.cli.shared.plot_file import save
from ucoder.v1 import artifacts_pb2 as pb

COLORS = ("#6b7280", "#2563eb", "#ea580c", "#16a34a", "#dc2626", "#9333ea")
LONGEST = 60  # characters of a name in the legend


def draw(
    path: Path,
    names: Sequence[str],
    benchmarks: Sequence[str],
    scores: Mapping[tuple[str, str], pb.Score | None],
    score: str,
) -> None:
    """Draws it to `path`, whose suffix says how."""
    size = max(5.0, 1.5 + 0.7 * len(benchmarks) * len(names)), 3.4 + 0.2 * len(names)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(names)
    for row, name in enumerate(names):
        for column, benchmark in enumerate(benchmarks):
            if one := scores.get((name, benchmark)):
                value, low, high = 100 * one.value, 100 * one.low, 100 * one.high
                place = column + width * (row - (len(names) - 1) / 2)
                errors = [[max(0.0, value - low)], [max(0.0, high - value)]]
                axes.bar([place], [value], width * 0.92, yerr=errors, capsize=3, color=COLORS[row % len(COLORS)])
                axes.annotate(f"{value:.1f}", (place, high + 1), ha="center", fontsize=8)
    axes.set(ylabel=f"{score}, %", ylim=(0, 107), xticks=range(len(benchmarks)), xticklabels=benchmarks)
    axes.spines[["top", "right"]].set_visible(False)
    known = [Patch(color=COLORS[row % len(COLORS)], label=_short(name)) for row, name in enumerate(names)]
    figure.legend(handles=known, fontsize=8, loc="outside lower left")
    save(figure, path)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"...{name[-LONGEST + 3 :]}"
