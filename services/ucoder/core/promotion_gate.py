"""The promotion gate: what happens after an evaluation. Decides on the dev split alone, never on what is reported."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateDecision:
    """`action`: wait (an evaluation is missing), continue, stop, or roll_back. `best`: the iteration to go on from."""

    action: str
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
    """What follows from the dev scores so far.

    dev: pass@1 (fraction) on the dev split by iteration; 0 is the base. collapse: what collapsed, in words, of the
    iterations in which something did: none of them is promoted however well it scores, and after one the run ends.
    control_missing: a control was asked for and is not evaluated yet, so a run that would end waits for it. A gain
    counts when it is at least `min_gain` over the best before it; after more than `patience` iterations in a row
    without one the run ends, on the best checkpoint.
    """
    if 0 not in dev or sorted(dev) != list(range(len(dev))):
        return GateDecision("wait", reason="an earlier evaluation is missing")
    last, best, flat = len(dev) - 1, 0, 0
    for index in range(1, len(dev)):
        if dev[index] >= dev[best] + min_gain and index not in collapse:
            best, flat = index, 0
        else:
            flat += 1
    if flat <= patience and last < iterations and last not in collapse:
        how = f"dev pass@1 {dev[last]:.3f}, best {dev[best]:.3f} at iteration {best}"
        return GateDecision("continue", best, how)
    if control_missing:
        return GateDecision("wait", reason="the control is not evaluated yet")
    why = f"{iterations} iterations done" if flat <= patience else f"{flat} iterations without a gain of {min_gain:g}"
    if last in collapse:
        why = f"collapse at iteration {last}: {collapse[last]}"
    if best == last:
        return GateDecision("stop", best, why)
    return GateDecision("roll_back", best, f"{why}; iteration {best} is the best on the dev split ({dev[best]:.3f})")
