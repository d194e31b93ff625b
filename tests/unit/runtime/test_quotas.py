"""Quotas with a clock that the test sets."""

import pytest

from ucoder.errors import Overloaded, Reject
from ucoder.runtime.quotas import Quotas


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_holds_one_minute_and_refills_with_time() -> None:
    clock = Clock()
    quotas = Quotas(60, clock)
    quotas.take("alice", 60)
    with pytest.raises(Overloaded, match="60 programs a minute; retry in 10 s"):
        quotas.take("alice", 10)
    quotas.take("bob", 60)  # each caller has a bucket
    clock.now = 9.9
    with pytest.raises(Overloaded):
        quotas.take("alice", 10)
    clock.now = 10.0
    quotas.take("alice", 10)


def test_a_refusal_takes_nothing_and_a_request_above_the_quota_is_rejected() -> None:
    clock = Clock()
    quotas = Quotas(10, clock)
    with pytest.raises(Reject, match="11 at once, and the quota is 10 a minute"):
        quotas.take("alice", 11)
    quotas.take("alice", 10)
    for _ in range(5):
        with pytest.raises(Overloaded):
            quotas.take("alice", 1)
    clock.now = 6.0
    quotas.take("alice", 1)


def test_full_buckets_are_forgotten_and_quota_0_is_no_limit() -> None:
    clock = Clock()
    quotas = Quotas(60, clock)
    for number in range(1000):
        clock.now = float(number)
        quotas.take(str(number), 1)
    assert len(quotas._used) <= 2
    Quotas().take("alice", 10**9)
