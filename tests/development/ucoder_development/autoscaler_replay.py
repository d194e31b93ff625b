"""Replays the autoscaler's formula on a recorded load: how many pods it starts, and how long until all work is done."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AutoscalerReplay:
    """The result of an autoscaler on a recorded load."""

    most_lag: int
    most_pods: int
    drained_after_seconds: float
    pod_seconds: float


def replay_autoscaler(
    arrivals: Iterable[int], per_pod: float, backlog: int, start: int, most: int, idle: int = 300
) -> AutoscalerReplay:
    """Applies KEDA's formula every second until no message is left: wanted pods = ceil(lag / backlog), at most `most`.

    The number of pods at most doubles every 30 s, and a pod is ready after `start` seconds. `arrivals`: messages by
    second. `per_pod`: messages that a pod finishes in a second. Pods that are no longer wanted stay for `idle` seconds,
    the stabilisation window of the scale-down.
    """
    pending, lag, pods, ready_at = list(arrivals), 0.0, 0, list[int]()
    second, spent, most_lag, most_pods, last_wanted = 0, 0, 0, 0, 0
    while second < len(pending) or lag >= 1:
        lag += pending[second] if second < len(pending) else 0
        wanted = min(most, math.ceil(lag / backlog))
        if (wanted > pods and second % 30 == 0) or (pods == 0 and wanted):
            grown = min(wanted, max(1, 2 * pods))
            ready_at += [second + start] * (grown - pods)
            pods, last_wanted = grown, second
        elif wanted < pods and second - last_wanted > idle:
            pods = max(1, wanted)
            del ready_at[pods:]
        working = sum(at <= second for at in ready_at)
        lag = max(0.0, lag - working * per_pod)
        spent, most_lag, most_pods = spent + pods, max(most_lag, math.ceil(lag)), max(most_pods, pods)
        second += 1
    return AutoscalerReplay(most_lag, most_pods, second - len(pending), spent)
