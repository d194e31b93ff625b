"""Quotas, on a clock of the test's own."""

import pytest

from ucoder.consensus.quotas import Quota, Quotas
from ucoder.errors import Overloaded, Reject


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_s_worth_at_once_and_then_as_time_passes() -> None:
    clock = Clock()
    quotas = Quotas(Quota(programs_per_minute=60), clock)
    quotas.take("alice", 60)
    with pytest.raises(Overloaded, match="60 programs a minute; retry in 10 s"):
        quotas.take("alice", 10)
    quotas.take("bob", 60)  # his own bucket
    clock.now = 9.9
    with pytest.raises(Overloaded):
        quotas.take("alice", 10)
    clock.now = 10.0
    quotas.take("alice", 10)


def test_a_refusal_costs_nothing_and_what_can_never_fit_is_said_to() -> None:
    clock = Clock()
    quotas = Quotas(Quota(programs_per_minute=10), clock)
    with pytest.raises(Reject, match="11 at once, and the quota is 10 a minute"):
        quotas.take("alice", 11)
    quotas.take("alice", 10)
    for _ in range(5):
        with pytest.raises(Overloaded):
            quotas.take("alice", 1)
    clock.now = 6.0
    quotas.take("alice", 1)


def test_callers_who_are_quiet_are_forgotten_and_no_quota_is_no_limit() -> None:
    clock = Clock()
    quotas = Quotas(Quota(programs_per_minute=60), clock)
    for number in range(1000):
        clock.now = float(number)
        quotas.take(str(number), 1)
    assert len(quotas._spent) <= 2
    Quotas(Quota()).take("alice", 10**9)
