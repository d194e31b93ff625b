"""`ucoder compare`: models, checkpoints or samples files side by side, and how much of a difference chance explains."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from ucoder.cli.shared import answer_source, options
from ucoder.cli.shared.local_sandbox import isolation_warning, open_sandbox
from ucoder.cli.shared.plot_file import check_plot_file, save_plot
from ucoder.core.pass_at_k import RESAMPLES, paired_bootstrap, significance
from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmark_scores import benchmark_scores
from ucoder.runs.plot_colors import BLUE, GREEN, GREY, ORANGE, PURPLE, RED
from ucoder.v1 import artifacts_pb2 as pb

COLORS = (GREY, BLUE, ORANGE, GREEN, RED, PURPLE)
LEGEND_CHARACTERS = 60


async def compare(
    names: Annotated[list[str], Argument(metavar="A B ...", help=f"Each a samples file or a model: {options.MODELS}.")],
    benchmark: Annotated[
        list[str] | None,
        Option(metavar="NAME[=FILE]", help=f"May be given several times. Default: seed. Names: {options.BENCHMARKS}."),
    ] = None,
    score: Annotated[str, Option(help="Score to compare: pass@1, pass@10, pass@100, greedy or majority.")] = "pass@1",
    profile: options.ProfileFlag = None,
    n: options.SamplesFlag = 10,
    temperature: options.TemperatureFlag = None,
    plot: options.PlotFlag = None,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    packages: options.PackagesFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Compares models, checkpoints or samples files with the first one: gain, interval, significance.

    All models get the same prompts and random numbers, and all are judged on the same tasks, so the differences are
    paired. A samples file may hold samples of several benchmarks.

    Example: `ucoder compare seed runs/demo-1/checkpoints/001 --plot gain.png`
    """
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise Misconfigured("give at least two different models or samples files.")
    check_plot_file(plot)
    given = (text.partition("=") for text in benchmark or ["seed"])
    benchmarks = [answer_source.Benchmark.load(format, file or None) for format, _, file in given]
    formats = [one.format for one in benchmarks]
    if len(set(formats)) < len(formats):
        raise Misconfigured("--benchmark: each at most once.")
    files = {name: answer_source.samples_by_benchmark(Path(name), benchmarks) for name in names if Path(name).is_file()}
    profiles = {name: profile or answer_source.default_profile(name) for name in names if name not in files}
    if len(set(profiles.values())) > 1:
        listed = ", ".join(f"{name}: {one}" for name, one in profiles.items())
        raise Misconfigured(f"these models need different prompts ({listed}); give --profile, the same for all.")
    comparison = Comparison(names, formats, score, {})
    async with open_sandbox(isolation, cells, packages) as sandbox:
        judge = answer_source.judge_in(sandbox)
        for name in names:
            for place, chosen in enumerate(benchmarks):
                if name not in files:
                    answers = await answer_source.ask_model(judge, chosen, name, profiles[name], n, temperature)
                elif lines := files[name][place]:
                    answers = await answer_source.judge_samples(judge, chosen, Path(name), lines)
                else:
                    continue
                comparison.scores[name, chosen.format] = benchmark_scores(chosen.format, answers)
        used_isolation = sandbox.isolation
    answer_source.warn_of_broken_references(judge)
    if plot:
        comparison.draw(plot)
    if as_json:
        print(json.dumps(comparison.as_json(used_isolation)))
    else:
        comparison.show(Console(), used_isolation)


@dataclass(frozen=True, slots=True)
class Difference:
    """The gain over the first one on the same tasks with its 95% interval, and the probability of a gain as large by
    chance alone.
    """

    name: str
    benchmark: str
    gain: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The scores that were measured: of which names, in their order, on which benchmarks, and which one to compare."""

    names: Sequence[str]
    formats: Sequence[str]
    metric: str
    scores: dict[tuple[str, str], list[pb.Score]]
    """All scores by name and benchmark. A samples file without a sample of a benchmark has none of it."""

    def compared_score(self, name: str, format: str) -> pb.Score | None:
        """Returns the score to compare, of the whole benchmark; None where it was not measured."""
        whole = (score for score in self.scores.get((name, format), []) if score.tasks == format)
        return next((score for score in whole if answer_source.metric_label(score) == self.metric), None)

    def differences(self) -> list[Difference]:
        """Returns the differences of the others from the first, by benchmark."""
        found = []
        for format in self.formats:
            first = self.compared_score(self.names[0], format)
            for name in self.names[1:]:
                if first and (other := self.compared_score(name, format)):
                    pairs = list(other.per_task), list(first.per_task)
                    gain, _ = paired_bootstrap(*pairs)
                    found.append(Difference(name, format, gain.mean, gain.low, gain.high, significance(*pairs)))
        return found

    def as_json(self, isolation: str) -> dict[str, object]:
        """Returns everything as plain values: by benchmark and name all scores with their intervals; differences."""
        benchmarks: dict[str, dict[str, Mapping[str, object]]] = {format: {} for format in self.formats}
        for (name, format), scores in self.scores.items():
            whole = [score for score in scores if score.tasks == format]
            intervals = {answer_source.metric_label(score): [score.low, score.high] for score in whole}
            benchmarks[format][name] = answer_source.score_values(scores, format) | {"intervals": intervals}
        differences = [asdict(one) for one in self.differences()]
        return {"benchmarks": benchmarks, "differences": differences, **isolation_warning(isolation)}

    def show(self, console: Console, isolation: str) -> None:
        """Prints a table of scores and one of differences."""
        title = f"{self.metric}, % with 95% interval (isolation: {isolation})"
        table = Table("", *self.formats, title=title, title_justify="left")
        for name in self.names:
            scores = [self.compared_score(name, format) for format in self.formats]
            cells = [f"{100 * s.value:.1f} [{100 * s.low:.1f}, {100 * s.high:.1f}]" if s else "-" for s in scores]
            table.add_row(name, *cells)
        console.print(table)
        title = f"difference from {self.names[0]} on the same tasks, points (paired bootstrap)"
        table = Table("", "benchmark", "gain", "95% interval", "p", title=title, title_justify="left")
        for one in self.differences():
            p = f"< {2 / RESAMPLES:g}" if one.p < 2 / RESAMPLES else f"{one.p:.4f}"
            interval = f"{100 * one.low:+.1f}, {100 * one.high:+.1f}"
            table.add_row(one.name, one.benchmark, f"{100 * one.gain:+.1f}", interval, p)
        console.print(table)

    def draw(self, path: Path) -> None:
        """Draws a group of bars with intervals for each benchmark into a file, whose suffix names the format."""
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch

        bars = len(self.formats) * len(self.names)
        figure = Figure(figsize=(max(5.0, 1.5 + 0.7 * bars), 3.4 + 0.2 * len(self.names)), layout="constrained")
        axes = figure.subplots()
        width, legend = 0.8 / len(self.names), []
        for row, name in enumerate(self.names):
            color = COLORS[row % len(COLORS)]
            label = name if len(name) <= LEGEND_CHARACTERS else f"...{name[-LEGEND_CHARACTERS + 3 :]}"
            legend.append(Patch(color=color, label=label))
            for column, format in enumerate(self.formats):
                if score := self.compared_score(name, format):
                    value, low, high = 100 * score.value, 100 * score.low, 100 * score.high
                    place = column + width * (row - (len(self.names) - 1) / 2)
                    errors = [[max(0.0, value - low)], [max(0.0, high - value)]]
                    axes.bar([place], [value], width * 0.92, yerr=errors, capsize=3, color=color)
                    axes.annotate(f"{value:.1f}", (place, high + 1), ha="center", fontsize=8)
        axes.set(ylabel=f"{self.metric}, %", ylim=(0, 107), xticks=range(len(self.formats)), xticklabels=self.formats)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(handles=legend, fontsize=8, loc="outside lower left")
        save_plot(figure, path)
