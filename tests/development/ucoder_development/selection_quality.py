"""`ucoder bench consensus`: compares how often strategies find the right program, their confidence, and their cost."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ucoder.cli.shared.plot_file import check_plot_file
from ucoder.core.matrix import Floats, Matrix
from ucoder.core.pass_at_k import Interval, bootstrap, paired_bootstrap
from ucoder.core.selection import DEFAULT, select
from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder_development import reliability_plot
from ucoder_development.calibration_measures import coverage_at_precision
from ucoder_development.confidence_calibration import CalibrationReport, fit_confidence, measure_calibration
from ucoder_development.early_stop_replay import StoppingResult, replay_early_stopping
from ucoder_development.executed_tasks import ExecutedTask, execute_tasks
from ucoder_development.precision_coverage import codet_confidences
from ucoder_development.select_latency import measure_select

STRATEGIES: tuple[tuple[str, dict[str, float]], ...] = (
    ("random", {}),
    ("success_rate", {}),
    ("max_pass", {}),
    ("ucoder", {}),
    ("ucoder", {"exclude_all_fail": 1}),
    ("cluster", {}),
    ("alphacode", {}),
    ("mbr_exec", {}),
    ("codet", {}),
    ("codet", {"outputs": 1}),
    ("b4", {}),
    ("b4", {"outputs": 1}),
    ("evidence", {}),
)
"""Strategies with options. low_ppl is missing, because the dev file has no log-probabilities."""
ABLATIONS: tuple[dict[str, float], ...] = (
    {"share": 0},
    {"passes": 0},
    {"agreement": 0},
    {"constant": 0},
    {"simplicity": 0},
    {"typical": 0},
    {"share": 2},
    {"passes": 2},
    {"agreement": 2},
    {"constant": 2},
    {"simplicity": 2},
)
SIZES = ((128, 100), (1024, 1000))
FILE_COLUMNS = 132
"""Width of tables that go into a file."""


@dataclass(frozen=True)
class StrategyScore:
    """The result of one strategy on all tasks. Percentages; an abstention counts as wrong."""

    name: str
    pass_at_1: Interval
    expected: float
    """pass@1 when a random member of the winning cluster is taken, as CodeT and B4 do: without luck in the cluster."""
    gain_over_codet: Interval
    abstained: int
    coverage_at_95: float
    """Share of the tasks that can be kept at 95% precision, most confident first."""
    milliseconds: float


@dataclass(frozen=True)
class SelectionSpeed:
    """Median processor time of one selection from a built matrix, and of building the matrix from rows."""

    programs: int
    tests: int
    select_milliseconds: float
    build_milliseconds: float


async def measure_and_print(
    data: Path,
    cache: Path,
    *,
    isolation: str = "auto",
    cells: int | None = None,
    tests: str = "file",
    as_json: bool = False,
    fit: bool = False,
    plot: Path | None = None,
    rounds: int = 20,
) -> None:
    """Measures on `data` and prints tables, or one JSON object. `fit` adds the numbers of the confidence, fitted again.

    `tests`: `file`, or `none` for inputs as `ucoder select --tests none` makes them. `plot`: the file of a plot.
    `rounds`: calls of Select and of Execute in the real sandbox; 0 for none.
    """
    if tests not in ("file", "none"):
        raise Misconfigured(f"--tests {tests}: expected `file` or `none`.")
    check_plot_file(plot)
    tasks = await execute_tasks(data, cache, isolation, cells, tests=tests == "file")
    scores, ablations = compare_strategies(tasks)
    calibration, stopping, speeds = (
        measure_calibration(tasks),
        replay_early_stopping(tasks),
        [measure_speed(*size) for size in SIZES],
    )
    found: dict[str, Any] = {
        "tasks": len(tasks),
        "best_possible": 100 * float(np.mean([task.right.any() for task in tasks])),
        "strategies": [asdict(score) for score in scores],
        "ablations": [asdict(score) for score in ablations],
        "confidence": asdict(calibration),
        "early_stopping": [asdict(each) for each in stopping],
        "speed": [asdict(each) for each in speeds],
    }
    if fit:
        found["fitted"] = fit_confidence(tasks).weights
    waited = await measure_select(rounds, isolation, cells) if rounds else None
    if waited:
        found["latency"] = asdict(waited)
    if plot:
        offered, codet_right = codet_confidences(tasks)
        curves = {
            "default strategy": (np.array(calibration.held_out), np.array(calibration.right)),
            "CodeT": (offered[calibration.coverage.codet_by], codet_right),
        }
        reliability_plot.draw_reliability(plot, calibration.reliability, curves)
    if as_json:
        print(json.dumps(found))
    else:
        console = Console()
        _show(
            console if console.is_terminal else Console(width=FILE_COLUMNS),
            found,
            scores,
            ablations,
            calibration,
            stopping,
            speeds,
        )
        if waited:
            console.print(waited.summary(), highlight=False)


def compare_strategies(tasks: Sequence[ExecutedTask]) -> tuple[list[StrategyScore], list[StrategyScore]]:
    """Returns the scores of all strategies, and of the default one with one piece of evidence left out or doubled."""
    codet = _outcomes(tasks, "codet", {})[0]
    return (
        [_score(tasks, name, options, codet) for name, options in STRATEGIES],
        [_score(tasks, DEFAULT, options, codet) for options in ABLATIONS],
    )


def measure_speed(programs: int, tests: int, behaviours: int = 100) -> SelectionSpeed:
    """Times the default strategy on an artificial matrix: Zipf-distributed behaviours, one output in six right."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 6, (behaviours, tests))
    chosen = rng.zipf(1.5, programs) % behaviours
    outputs = [[str(value) for value in kinds[kind]] for kind in chosen]
    outcomes = [["passed" if text == "1" else "failed" for text in row] for row in outputs]
    cases = [Test(f"assert f({j}) == 1") for j in range(tests)]
    texts = [f"def f(x):\n    return x * {kind} + {i}\n" for i, kind in enumerate(chosen)]
    matrix = Matrix.build(outcomes, outputs, cases, programs=texts)
    return SelectionSpeed(
        programs,
        tests,
        _median_milliseconds(lambda: select(matrix)),
        _median_milliseconds(lambda: Matrix.build(outcomes, outputs, cases, programs=texts)),
    )


def _score(tasks: Sequence[ExecutedTask], name: str, options: dict[str, float], codet: Floats) -> StrategyScore:
    right, expected, confidence, abstained, milliseconds = _outcomes(tasks, name, options)
    gain, _ = paired_bootstrap(100 * right, 100 * codet)
    return StrategyScore(
        name=" ".join([name, *(f"{key}={value:g}" for key, value in options.items())]),
        pass_at_1=bootstrap(100 * right),
        expected=100 * float(expected.mean()),
        gain_over_codet=gain,
        abstained=abstained,
        coverage_at_95=100 * coverage_at_precision(confidence, right),
        milliseconds=milliseconds,
    )


def _outcomes(
    tasks: Sequence[ExecutedTask], name: str, options: dict[str, float]
) -> tuple[Floats, Floats, Floats, int, float]:
    """Returns, by task, whether the winner is right, the share of its cluster that is right, and its confidence; then
    the number of abstentions and the median milliseconds.
    """
    right, expected, confidence, seconds = [], [], [], []
    for task in tasks:
        start = time.process_time()
        chosen = select(task.matrix, name, **options)
        seconds.append(time.process_time() - start)
        right.append(0.0 if chosen.winner is None else task.right[chosen.winner])
        expected.append(0.0 if chosen.winner is None else task.right[list(chosen.clusters[0].members)].mean())
        confidence.append(chosen.confidence)
    abstained = sum(each == 0 for each in confidence)
    return np.array(right), np.array(expected), np.array(confidence), abstained, 1e3 * float(np.median(seconds))


def _median_milliseconds(call: Callable[[], object], repeats: int = 7) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()  # other programs on the machine do not count
        call()
        seconds.append(time.process_time() - start)
    return 1e3 * float(np.median(seconds))


def _show(
    console: Console,
    found: dict[str, Any],
    scores: Sequence[StrategyScore],
    ablations: Sequence[StrategyScore],
    calibration: CalibrationReport,
    stopping: Sequence[StoppingResult],
    speeds: Sequence[SelectionSpeed],
) -> None:
    """Prints all tables."""
    console.print(
        f"{found['tasks']} tasks, best possible {found['best_possible']:.1f}%. Intervals: 95% bootstrap over tasks."
    )
    for title, rows in (("strategies", scores), (f"{DEFAULT}, one weight changed", ablations)):
        table = Table(
            "strategy",
            "pass@1",
            "interval",
            "cluster mean",
            "over codet",
            "abstained",
            "kept at 95%",
            "ms",
            title=title,
        )
        for row in rows:
            gain = row.gain_over_codet
            table.add_row(
                row.name,
                f"{row.pass_at_1.mean:.1f}",
                f"{row.pass_at_1.low:.1f}-{row.pass_at_1.high:.1f}",
                f"{row.expected:.1f}",
                f"{gain.mean:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})",
                str(row.abstained),
                f"{row.coverage_at_95:.1f}%",
                f"{row.milliseconds:.1f}",
            )
        console.print(table)
    console.print(
        f"confidence, cross-validated by task: expected calibration error {calibration.error_5_bins:.3f} in 5 bins"
        f" (a perfect one shows {calibration.chance_5_bins:.3f} on as few tasks), {calibration.error_10_bins:.3f} in 10"
        f" ({calibration.chance_10_bins:.3f}); as shipped {calibration.error_shipped:.3f};"
        f" separates right from wrong: {calibration.auc:.3f}"
    )
    kept = calibration.coverage
    console.print(
        f"kept at 95% precision, cross-validated: {100 * kept.mean:.1f}% of the tasks ({100 * kept.least:.1f} to"
        f" {100 * kept.most:.1f} by the folds drawn), CodeT by its {kept.codet_by} {100 * kept.codet:.1f}%:"
        f" {kept.ratio.mean:.2f} times as many, 95% bootstrap over tasks {kept.ratio.low:.2f} to {kept.ratio.high:.2f}"
    )
    table = Table("confidence", "right", "selections", title="reliability, cross-validated")
    for bin in calibration.reliability:
        table.add_row(f"{bin.confidence:.2f}", f"{bin.right:.2f}", str(bin.size))
    console.print(table)
    table = Table("stated error", "order", "saved", "another cluster", "pass@1", "cluster mean", title="stopping early")
    for stop in stopping:
        table.add_row("", "all samples", "0%", "", f"{stop.pass_at_1_full:.1f}", f"{stop.expected_full:.1f}")
        for name, one in (("the file's", stop.in_order), ("random, mean", stop.shuffled), ("random, sd", stop.spread)):
            cells = f"{one.changed:.1f}%", f"{one.pass_at_1:.1f}", f"{one.expected:.1f}"
            table.add_row(f"{stop.stated_error:.2f}", name, f"{100 * one.saved:.0f}%", *cells)
    console.print(table)
    for speed in speeds:
        console.print(
            f"{speed.programs} x {speed.tests}: select {speed.select_milliseconds:.1f} ms,"
            f" build {speed.build_milliseconds:.1f} ms"
        )
    if "fitted" in found:
        console.print(f"fitted: {', '.join(f'{weight:.3f}' for weight in found['fitted'])}")
