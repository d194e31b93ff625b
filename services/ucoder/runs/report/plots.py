"""Draws the plots of the report, as SVG text that goes into the page."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ucoder.core.collapse_metrics import METRICS
from ucoder.runs.plot_colors import BLUE, GREEN, GREY, ORANGE, RED

STYLE: Any = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "legend.fontsize": 8, "svg.hashsalt": "ucoder",
}  # fmt: skip


def plots(report: dict[str, Any]) -> dict[str, str]:
    """Returns the plots by name; those for which the run has no data are left out."""
    of_iterations = {
        "precision": _precision, "funnel": _funnel, "clusters": _clusters, "diversity": _diversity,
        "signs": _collapse_metrics, "coverage": _coverage, "losses": _losses,
    }  # fmt: skip
    drawn = {"pass_at_1": _pass_at_1, **(of_iterations if report["iterations"] else {}), "timeline": _timeline}
    return {name: _draw(plot, report) for name, plot in drawn.items()}


def _draw(plot: Callable[[Axes, dict[str, Any]], None], report: dict[str, Any]) -> str:
    """Returns a plot as SVG, with a legend where something has a label."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.2, 3.4), layout="constrained")
        axes = figure.subplots()
        plot(axes, report)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(loc="lower right" if plot is _pass_at_1 else "best")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]


def _pass_at_1(axes: Axes, report: dict[str, Any]) -> None:
    """Draws pass@1 by iteration with intervals, greedy, cool and majority scores beside it, and the control."""
    line = [report["base"], *report["iterations"]]
    x = range(len(line))

    def draw_scores(x: range, scored: list[dict[str, Any]], **style: Any) -> None:
        low = [100 * (one["pass_at_1"] - one["ci_low"]) for one in scored]
        high = [100 * (one["ci_high"] - one["pass_at_1"]) for one in scored]
        axes.errorbar(x, [100 * one["pass_at_1"] for one in scored], yerr=[low, high], capsize=3, **style)

    draw_scores(x, line, color=BLUE, marker="o", label="pass@1 as sampled")
    for metric, style in (("greedy", "--"), ("cool", ":"), ("majority", "-.")):
        if all(metric in one for one in line):
            axes.plot(x, [100 * one[metric] for one in line], color=GREY, linestyle=style, label=metric)
    if report["control"]:
        label = "control: random candidates"
        draw_scores(range(1, 2), [report["control"]], color=ORANGE, marker="s", linestyle="none", label=label)
    axes.set(xlabel="iteration (0 is the base)", ylabel="%", xticks=list(x), ylim=(0, 100))


def _precision(axes: Axes, report: dict[str, Any]) -> None:
    """Draws the selection precision, and the shares of briefs that were selected or abstained."""
    rounds = report["iterations"]
    x = [one["index"] for one in rounds]
    for key, colour, label in (("selected", BLUE, "selected of briefs"), ("abstained", ORANGE, "abstained of briefs")):
        axes.plot(x, [100 * one[key] / one["briefs"] for one in rounds], color=colour, marker="o", label=label)
    if known := [one for one in rounds if one["selection_precision"] is not None]:
        y = [100 * one["selection_precision"] for one in known]
        axes.plot([one["index"] for one in known], y, color=GREEN, marker="o", label="right among selected")
    axes.set(xlabel="iteration", ylabel="%", xticks=x, ylim=(0, 102))


def _funnel(axes: Axes, report: dict[str, Any]) -> None:
    """Draws how the briefs of all iterations ended."""
    totals: dict[str, int] = {"selected": 0, "abstained": 0}
    for one in report["iterations"]:
        totals["selected"] += one["selected"]
        totals["abstained"] += one["abstained"]
        for reason, count in one["dropped"].items():
            totals[f"dropped: {reason}"] = totals.get(f"dropped: {reason}", 0) + count
    colours = [GREEN if name == "selected" else ORANGE if name == "abstained" else GREY for name in totals]
    bars = axes.barh(list(totals), list(totals.values()), color=colours)
    axes.bar_label(bars, padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="briefs")


def _clusters(axes: Axes, report: dict[str, Any]) -> None:
    """Draws the distribution of the largest cluster's share of the candidates."""
    shares = [one["cluster_shares"] for one in report["iterations"]]
    labels = [f"iteration {one['index']}" for one in report["iterations"]]
    axes.hist(shares, bins=[i / 10 for i in range(11)], label=labels)
    axes.set(xlabel="share of candidates in the largest cluster", ylabel="problems")


def _diversity(axes: Axes, report: dict[str, Any]) -> None:
    """Draws the entropies of what the model writes, and the share of distinct programs."""
    line = [report["base"], *report["iterations"]]
    x = range(len(line))
    axes.plot(x, [one["entropy_bits"] for one in line], color=BLUE, marker="o", label="token entropy, bits")
    axes.plot(x, [10 * one["distinct"] for one in line], color=RED, marker="o", label="distinct programs, tenths")
    rounds = report["iterations"]
    index = [one["index"] for one in rounds]
    problems = [one["problem_entropy_bits"] for one in rounds]
    axes.plot(index, problems, color=GREEN, marker="o", label="problem entropy, bits")
    axes.set(xlabel="iteration (0 is the base)", xticks=list(x), ylim=(0, None))


def _collapse_metrics(axes: Axes, report: dict[str, Any]) -> None:
    """Draws each collapse metric as a multiple of its first value."""
    history = report["signs"]
    for name, style in zip(METRICS, ("-", "--", ":", "-.", "-", "--"), strict=True):
        known = [(index, one[name]) for index, one in enumerate(history) if name in one]
        if known and known[0][1]:
            x, y = zip(*known, strict=True)
            colour = BLUE if name in ("test_accuracy", "selection_precision") else GREY
            axes.plot(x, [value / y[0] for value in y], style, color=colour, marker="o", label=name.replace("_", " "))
    axes.set(xlabel="iteration (0 is the base)", xticks=range(len(history)), ylim=(0, None))


def _coverage(axes: Axes, report: dict[str, Any]) -> None:
    """Draws the selected briefs of all briefs, by domain and difficulty, over all iterations."""
    cells: dict[tuple[str, int], list[int]] = {}
    for cell in (cell for one in report["iterations"] for cell in one["coverage"]):
        counts = cells.setdefault((cell["domain"], cell["difficulty"]), [0, 0])
        counts[0] += cell["selected"]
        counts[1] += cell["briefs"]
    domains, levels = list(dict.fromkeys(d for d, _ in cells)), sorted({level for _, level in cells})
    share = [[_share(cells.get((domain, level))) for level in levels] for domain in domains]
    axes.imshow(share, cmap="Greens", vmin=0, vmax=1, aspect="auto")
    for (domain, level), (selected, briefs) in cells.items():
        place = levels.index(level), domains.index(domain)
        color = "white" if _share([selected, briefs]) > 0.6 else "black"  # on a dark cell, on a light one
        axes.text(*place, f"{selected}/{briefs}", ha="center", va="center", fontsize=8, color=color)
    axes.set(xlabel="difficulty asked for", xticks=range(len(levels)), xticklabels=[str(level) for level in levels])
    axes.set(yticks=range(len(domains)), yticklabels=[domain.replace("_", " ") for domain in domains])
    axes.grid(visible=False)


def _share(counts: list[int] | None) -> float:
    return counts[0] / counts[1] if counts and counts[1] else 0.0


def _losses(axes: Axes, report: dict[str, Any]) -> None:
    """Draws the training loss by step."""
    for one in report["iterations"]:
        axes.plot(one["training"]["losses"], label=f"iteration {one['index']}", linewidth=1)
    if report["control"]:
        axes.plot(report["control"]["training"]["losses"], color=ORANGE, linewidth=1, label="control")
    axes.set(xlabel="step", ylabel="loss per target token")


def _timeline(axes: Axes, report: dict[str, Any]) -> None:
    """Draws when each stage was at work. Stages overlap, because briefs go through them independently."""
    spans = report["timeline"]
    stages = list(dict.fromkeys(span["stage"] for span in spans))
    for span in spans:
        colour = ORANGE if span["part"].endswith("control") else BLUE
        axes.barh(span["stage"], max(0.3, span["end"] - span["start"]), left=span["start"], color=colour, alpha=0.75)
    axes.set(xlabel="seconds since the run started (the control in orange)", yticks=range(len(stages)))
    axes.invert_yaxis()
