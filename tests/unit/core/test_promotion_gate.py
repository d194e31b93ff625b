"""The decisions of the promotion gate, case by case."""

import pytest

from ucoder.core.promotion_gate import next_step

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
def test_each_decision(dev: list[float], control_missing: bool, action: str, best: int) -> None:
    step = next_step(
        dict(enumerate(dev)), {}, control_missing=control_missing, iterations=3, min_gain=0.005, patience=1
    )
    assert (step.action, step.best) == (action, best)
    assert step.reason


def test_the_gate_waits_for_a_missing_evaluation() -> None:
    for dev in ({}, {1: 0.6}, {0: 0.5, 2: 0.6}):
        assert next_step(dev, {}, control_missing=False, iterations=3, min_gain=0, patience=0).action == "wait"


@pytest.mark.parametrize(
    ("dev", "control_missing", "action", "best"),
    [
        ([0.5, 0.9], False, "roll_back", 0),
        ([0.5, 0.6, 0.9], False, "roll_back", 1),
        ([0.5, 0.6, 0.2], False, "roll_back", 1),
        ([0.5, 0.6, 0.7, 0.9], False, "roll_back", 2),
        ([0.5, 0.9], True, "wait", 0),
    ],
)
def test_what_collapsed_is_not_promoted_and_ends_the_run(
    dev: list[float], control_missing: bool, action: str, best: int
) -> None:
    fallen = {len(dev) - 1: "test accuracy 0.1, less than 0.7 of its first 0.9"}
    step = next_step(
        dict(enumerate(dev)), fallen, control_missing=control_missing, iterations=3, min_gain=0.005, patience=1
    )
    assert (step.action, step.best) == (action, best)
    if action == "roll_back":
        assert f"collapse at iteration {len(dev) - 1}: test accuracy 0.1" in step.reason
