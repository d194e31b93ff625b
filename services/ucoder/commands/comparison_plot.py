"""The plot of a comparison: a group of bars for each benchmark, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ucoder.runtime.errors import Misconfigured
from ucoder.v1 import artifacts_pb2 as pb

COLORS = ("#6b7280", "#2563eb", "#ea580c", "#16a34a", "#dc2626", "#9333ea")
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
    except ImportError:
        raise Misconfigured("--plot needs matplotlib: pip install 'ucoder[local]'.") from None
    figure = Figure(figsize=(2.2 + 1.1 * len(benchmarks) * max(2, len(names)) / 2, 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(names)
    for row, name in enumerate(names):
        for column, benchmark in enumerate(benchmarks):
            if one := scores.get((name, benchmark)):
                value, low, high = 100 * one.value, 100 * one.low, 100 * one.high
                place = column + width * (row - (len(names) - 1) / 2)
                label = name if not any(bar.get_label() == name for bar in axes.containers) else None
                errors = [[max(0.0, value - low)], [max(0.0, high - value)]]
                axes.bar([place], [value], width * 0.92, yerr=errors, capsize=3, color=COLORS[row % len(COLORS)],
                         label=label)  # fmt: skip
                axes.annotate(f"{value:.1f}", (place, 1.5), ha="center", color="white", fontsize=8)
    axes.set(ylabel=f"{score}, %", ylim=(0, 100), xticks=range(len(benchmarks)), xticklabels=benchmarks)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise Misconfigured(f"--plot {path}: {error.strerror}.") from None
