"""The plot of a comparison: a group of bars for each benchmark, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ucoder.runtime.errors import Misconfigured
from ucoder.v1 import artifacts_pb2 as pb

COLORS = ("#6b7280", "#2563eb", "#ea580c", "#16a34a", "#dc2626", "#9333ea")
LONGEST = 60  # characters of a name in the legend
SUFFIXES = (".png", ".svg", ".pdf")


def draw(
    path: Path,
    names: Sequence[str],
    benchmarks: Sequence[str],
    scores: Mapping[tuple[str, str], pb.Score | None],
    score: str,
) -> None:
    """Draws it to `path`, whose suffix says how. Misconfigured: another suffix, no matplotlib, no such folder."""
    if path.suffix not in SUFFIXES:
        raise Misconfigured(f"--plot {path}: expected a name that ends in {', '.join(SUFFIXES)}.")
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch
    except ImportError:
        raise Misconfigured("--plot needs matplotlib: pip install 'ucoder[local]'.") from None
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
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise Misconfigured(f"--plot {path}: {error.strerror}.") from None


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"...{name[-LONGEST + 3 :]}"
