"""The promotion gate: decides after each evaluation whether the loop continues, stops or rolls back.

It reads the dev split only, never the scores that are reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class GateAction(StrEnum):
    """The decisions of the gate."""

    WAIT = "wait"
    """An evaluation that the decision needs is missing."""
    CONTINUE = "continue"
    STOP = "stop"
    """The run ends on the checkpoint of the last iteration."""
    ROLL_BACK = "roll_back"
    """The run ends on the checkpoint of an earlier iteration."""


@dataclass(frozen=True, slots=True)
class GateDecision:
    """A decision, the iteration with the best checkpoint, and the reason in words."""

    action: GateAction
    best: int = 0
    reason: str = ""


def next_step(
    dev: Mapping[int, float],
    collapse: Mapping[int, str],
    *,
    control_missing: bool,
    iterations: int,
    min_gain: float,
    patience: int,
) -> GateDecision:
    """Decides from the dev scores so far.

    dev: pass@1 (0 to 1) on the dev split by iteration; 0 is the base.
    collapse: what collapsed, in words, by iteration. Such an iteration is never promoted, and after it the run ends.
    control_missing: a control was asked for and is not evaluated yet, so that a run that would end waits for it.
    A gain counts when it is at least `min_gain` over the best score before it. After more than `patience` iterations in
    a row without a gain the run ends, on the best checkpoint.
    """
    if 0 not in dev or sorted(dev) != list(range(len(dev))):
        return GateDecision(GateAction.WAIT, reason="an earlier evaluation is missing")
    last, best, without_gain = len(dev) - 1, 0, 0
    for index in range(1, len(dev)):
        if dev[index] >= dev[best] + min_gain and index not in collapse:
            best, without_gain = index, 0
        else:
            without_gain += 1
    if without_gain <= patience and last < iterations and last not in collapse:
        reason = f"dev pass@1 {dev[last]:.3f}, best {dev[best]:.3f} at iteration {best}"
        return GateDecision(GateAction.CONTINUE, best, reason)
    if control_missing:
        return GateDecision(GateAction.WAIT, reason="the control is not evaluated yet")
    reason = f"{iterations} iterations done"
    if without_gain > patience:
        reason = f"{without_gain} iterations without a gain of {min_gain:g}"
    if last in collapse:
        reason = f"collapse at iteration {last}: {collapse[last]}"
    if best == last:
        return GateDecision(GateAction.STOP, best, reason)
    reason += f"; iteration {best} is the best on the dev split ({dev[best]:.3f})"
    return GateDecision(GateAction.ROLL_BACK, best, reason)
