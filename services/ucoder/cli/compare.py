"""`ucoder compare`: models, checkpoints or files of samples side by side, with what chance alone could have done."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ucoder.cli.evaluate import asking, fractions, judge_of, metric, warn
from ucoder.cli.execute import note, settings_of
from ucoder.cli.shared.answer_source import Benchmark, of_model, of_samples, profile_of, samples_of
from ucoder.cli.shared.plot_file import check
from ucoder.core.pass_at_k import RESAMPLES, paired_bootstrap, significance
from ucoder.errors import Misconfigured
from ucoder.evaluator.answers import scores
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.v1 import artifacts_pb2 as pb


@dataclass(frozen=True, slots=True)
class Difference:
    """A contestant less the first one on the same tasks: gain with its 95% interval, and the chance of as much."""

    name: str
    benchmark: str
    gain: float
    low: float
    high: float
    p: float


Scores = dict[tuple[str, str], list[pb.Score]]
"""By contestant and benchmark; what was not measured is missing."""


async def main(
    names: Sequence[str],
    *,
    benchmarks: Sequence[str],
    score: str,
    profile: str | None,
    n: int,
    temperature: float | None,
    plot: Path | None,
    isolation: str | None,
    cells: int | None,
    packages: Path | None,
    as_json: bool,
) -> None:
    """Prints tables or one JSON object, and draws the plot."""
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise Misconfigured("give at least two different models or files of samples.")
    check(plot)
    settings, chosen = settings_of(isolation, cells, packages), [_benchmark(one) for one in benchmarks]
    if len({one.format for one in chosen}) < len(chosen):
        raise Misconfigured("--benchmark: each at most once.")
    files = {name: samples_of(Path(name), chosen) for name in names if Path(name).is_file()}
    profiles = {name: profile or profile_of(name) for name in names if name not in files}
    if len(set(profiles.values())) > 1:
        wants = ", ".join(f"{name}: {one}" for name, one in profiles.items())
        raise Misconfigured(f"these models want different prompts ({wants}); give --profile, the same for all.")
    found: Scores = {}
    async with Sandbox.open(
        isolation=settings.isolation, cells=settings.cells, packages=settings.sandbox_packages
    ) as sandbox:
        judge = judge_of(sandbox)
        for name in names:
            for place, benchmark in enumerate(chosen):
                if name not in files:
                    how = asking(name, profiles[name], n, temperature)
                    answers = await of_model(settings, judge, benchmark, name, how)
                elif lines := files[name][place]:
                    answers = await of_samples(judge, benchmark, Path(name), lines)
                else:
                    continue
                found[name, benchmark.format] = scores(benchmark.format, answers)
        held = sandbox.isolation
    warn(judge)
    formats = [one.format for one in chosen]
    differences = [
        difference
        for form in formats
        for name in names[1:]
        if (difference := _difference(found, names[0], name, form, score))
    ]
    if plot:
        from ucoder.cli.shared.comparison_plot import draw

        draw(plot, names, formats, {key: _of(some, score) for key, some in found.items()}, score)
    if as_json:
        print(json.dumps(_json(found, formats, differences) | note(held)))
    else:
        _show(Console(), names, formats, found, differences, score, held)


def _benchmark(text: str) -> Benchmark:
    format, _, path = text.partition("=")
    return Benchmark.load(format, path or None)


def _of(some: Sequence[pb.Score], score: str) -> pb.Score | None:
    """The score of the whole benchmark that is compared."""
    whole = min((one.tasks for one in some), key=len)
    return next((one for one in some if one.tasks == whole and metric(one) == score), None)


def _difference(found: Scores, first: str, name: str, benchmark: str, score: str) -> Difference | None:
    theirs, ours = (_of(found.get((one, benchmark), []) or [pb.Score()], score) for one in (first, name))
    if theirs is None or ours is None:
        return None
    gain, _ = paired_bootstrap(list(ours.per_task), list(theirs.per_task))
    p = significance(list(ours.per_task), list(theirs.per_task))
    return Difference(name, benchmark, gain.mean, gain.low, gain.high, p)


def _json(found: Scores, formats: Sequence[str], differences: Sequence[Difference]) -> dict[str, object]:
    measured = {
        form: {
            name: fractions(some, form) | {"intervals": {metric(s): [s.low, s.high] for s in some if s.tasks == form}}
            for (name, one), some in found.items()
            if one == form
        }
        for form in formats
    }
    return {"benchmarks": measured, "differences": [asdict(one) for one in differences]}


def _show(
    console: Console,
    names: Sequence[str],
    formats: Sequence[str],
    found: Scores,
    differences: Sequence[Difference],
    score: str,
    isolation: str,
) -> None:
    table = Table("", *formats, title=f"{score}, % with 95% interval (isolation: {isolation})", title_justify="left")
    for name in names:
        cells = []
        for form in formats:
            one = _of(found.get((name, form), []) or [pb.Score()], score)
            cells.append(f"{100 * one.value:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]" if one else "-")
        table.add_row(name, *cells)
    console.print(table)
    title = f"difference from {names[0]} on the same tasks, points (paired bootstrap)"
    table = Table("", "benchmark", "gain", "95% interval", "p", title=title, title_justify="left")
    for each in differences:
        p = f"< {2 / RESAMPLES:g}" if each.p < 2 / RESAMPLES else f"{each.p:.4f}"
        interval = f"{100 * each.low:+.1f}, {100 * each.high:+.1f}"
        table.add_row(each.name, each.benchmark, f"{100 * each.gain:+.1f}", interval, p)
    console.print(table)
