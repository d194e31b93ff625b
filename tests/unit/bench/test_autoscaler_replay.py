"""The autoscaler's formula on loads whose result is calculated by hand."""

import pytest

from ucoder_development.autoscaler_replay import replay_autoscaler
from ucoder_development.scale_test import extrapolate


def test_no_messages_need_no_pod() -> None:
    assert replay_autoscaler([0] * 10, per_pod=1, backlog=4, start=5, most=8).most_pods == 0


def test_one_pod_does_what_one_pod_can() -> None:
    done = replay_autoscaler([1] * 10, per_pod=1, backlog=4, start=0, most=8)
    assert (done.most_pods, done.drained_after_seconds) == (1, 0)


def test_a_burst_grows_by_doubling_up_to_the_most() -> None:
    done = replay_autoscaler([1000], per_pod=1, backlog=4, start=0, most=8)
    # 30 s by 1 pod, 30 by 2, 30 by 4 are 210; 790 more by 8 take 99 s.
    assert done.most_pods == 8
    assert 180 <= done.drained_after_seconds <= 195


def test_a_slow_start_costs_its_time() -> None:
    quick = replay_autoscaler([20], per_pod=1, backlog=100, start=0, most=1)
    slow = replay_autoscaler([20], per_pod=1, backlog=100, start=12, most=1)
    assert slow.drained_after_seconds - quick.drained_after_seconds == 12


def test_extrapolation() -> None:
    per_core = {"announced_per_bus_core": 20_000.0, "taken_and_acknowledged_per_bus_core": 20_000.0}
    made = extrapolate(50.0, {"announced": 4e3, "taken_and_acknowledged": 2e3, "written_100_kb": 500.0, **per_core})
    assert made["cells"] == 2000
    assert made["messages_per_second"] == 5 * 100_000 / 128
    assert made["bus_cores"] == pytest.approx(made["messages_per_second"] / 10_000)
    assert made["most_programs_of_one_bus_core"] * made["bus_cores"] == pytest.approx(100_000)
