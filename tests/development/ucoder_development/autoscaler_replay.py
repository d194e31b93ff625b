"""The autoscaler's formula, replayed on a recorded load: how many pods, how long until drained."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Replay:
    """An autoscaler on a recorded arrival of messages."""

    most_lag: int
    most_pods: int
    drained_after_seconds: float
    pod_seconds: float


def replay(arrivals: Iterable[int], per_pod: float, backlog: int, start: int, most: int, idle: int = 300) -> Replay:
    """KEDA's formula by the second: wanted = ceil(lag / backlog), at most doubled every 30 s, ready after `start`.

    `arrivals`: messages by second; `per_pod`: messages a pod ends in a second; pods that are no longer wanted stay for
    `idle` seconds, the scale-down's stabilisation. Ends when nothing is left.
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
    return Replay(most_lag, most_pods, second - len(pending), spent)
