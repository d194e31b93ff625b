"""The gate, case by case."""

import pytest

from ucoder.core.iterations import next_step

CASES = [
    # dev pass@1 by iteration, control missing -> action, best
    ([0.50], False, "continue", 0),
    ([0.50, 0.60], False, "continue", 1),
    ([0.50, 0.60, 0.70], False, "continue", 2),
    ([0.50, 0.60, 0.70, 0.80], False, "stop", 3),
    ([0.50, 0.60, 0.60], False, "continue", 1),
    ([0.50, 0.60, 0.601, 0.40], False, "roll_back", 1),
    ([0.50, 0.40, 0.40], False, "roll_back", 0),
    ([0.50, 0.49, 0.60], False, "continue", 2),
    ([0.50, 0.60, 0.70, 0.80], True, "wait", 0),
    ([0.50, 0.60], True, "continue", 1),
    ([0.50, 0.60, 0.70, 0.60], False, "roll_back", 2),
]


@pytest.mark.parametrize(("dev", "control_missing", "action", "best"), CASES)
def test_cases(dev: list[float], control_missing: bool, action: str, best: int) -> None:
    step = next_step(dict(enumerate(dev)), control_missing=control_missing, iterations=3, min_gain=0.005, patience=1)
    assert (step.action, step.best) == (action, best)
    assert step.reason


def test_a_gap_waits() -> None:
    for dev in ({}, {1: 0.6}, {0: 0.5, 2: 0.6}):
        assert next_step(dev, control_missing=False, iterations=3, min_gain=0, patience=0).action == "wait"
