"""The arithmetic of `ucoder bench consensus`, on artificial tasks whose answers are known."""

from pathlib import Path

import numpy as np
import pytest

from ucoder.cli.shared.plot_file import check_plot_file
from ucoder.core.matrix import Matrix
from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured
from ucoder_development.confidence_calibration import fit_confidence, measure_calibration
from ucoder_development.early_stop_replay import replay_early_stopping
from ucoder_development.executed_tasks import ExecutedTask
from ucoder_development.reliability_plot import draw_reliability
from ucoder_development.selection_quality import compare_strategies, measure_speed


def task(number: int, right: int, wrong: int) -> ExecutedTask:
    """Returns a task of `right` programs that agree and pass, and `wrong` ones that all differ."""
    outputs = [["0", "1"]] * right + [[f"a{i}", "b"] for i in range(wrong)]
    outcomes = [["passed", "passed"]] * right + [["failed", "failed"]] * wrong
    tests = [Test("assert f(0) == 0"), Test("assert f(1) == 1")]
    programs = [f"def f(x):\n    return x + {i} - {number}\n" for i in range(right + wrong)]
    return ExecutedTask(
        f"t{number}",
        Matrix.build(outcomes, outputs, tests, programs=programs),
        np.array([1.0] * right + [0.0] * wrong),
    )


EASY = [task(number, 20, 10) for number in range(12)]
HOPELESS = [task(number, 0, 30) for number in range(12)]


def test_scores_are_shares_of_the_tasks() -> None:
    scores, ablations = compare_strategies([*EASY, *HOPELESS])
    by_name = {score.name: score for score in scores}
    assert by_name["evidence"].pass_at_1.mean == by_name["codet"].pass_at_1.mean == 50.0
    assert by_name["evidence"].coverage_at_95 == 50.0
    assert by_name["codet"].abstained == 12
    assert by_name["random"].pass_at_1.mean < 50.0
    assert {score.name for score in ablations} >= {"evidence share=0", "evidence passes=2"}


def test_a_confidence_that_separates_right_from_wrong() -> None:
    found = measure_calibration([*EASY, *HOPELESS])
    assert found.auc == 1.0
    assert (found.coverage.mean, found.coverage.least, found.coverage.most) == (0.5, 0.5, 0.5)
    assert (found.coverage.codet, found.coverage.ratio.mean) == (0.5, 1.0)
    assert found.coverage.ratio.low == found.coverage.ratio.high == 1.0
    assert {each.right for each in found.reliability} == {0.0, 1.0}
    assert sum(each.size for each in found.reliability if each.right) == 240


def test_the_plot_is_checked_before_and_drawn_after_the_work(tmp_path: Path) -> None:
    found = measure_calibration([*EASY, *HOPELESS])
    for name in ("a.svg", "a.png"):
        check_plot_file(tmp_path / name)
        draw_reliability(
            tmp_path / name, found.reliability, {"ours": (np.array(found.held_out), np.array(found.right))}
        )
    assert (tmp_path / "a.svg").read_text().rstrip().endswith("</svg>")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    for name in ("a.gif", "absent/a.png"):
        with pytest.raises(Misconfigured, match="--plot"):
            check_plot_file(tmp_path / name)


def test_the_fitted_map_trusts_larger_shares() -> None:
    assert fit_confidence([*EASY, *HOPELESS]).weights[1] > 0


def test_clear_cases_stop_early_with_the_right_program() -> None:
    found = replay_early_stopping(EASY)
    for one in (each for stop in found for each in (stop.in_order, stop.shuffled)):
        assert (one.changed, one.pass_at_1, one.expected) == (0.0, 100.0, 100.0)
    assert found[-1].in_order.saved > 0.1
    assert found[-1].pass_at_1_full == found[-1].expected_full == 100.0


def test_speed_measures_something() -> None:
    found = measure_speed(32, 10)
    assert found.select_milliseconds > 0
    assert found.build_milliseconds > 0
