"""The rules of the runs service: which ended runs are deleted, and how owners share the services."""

import pytest

from ucoder.runs.admission import WEIGHTS, Feeding, share
from ucoder.runs.housekeeping import DAY, EndedRun, expired
from ucoder.v1 import config_pb2

ENDED = [
    EndedRun("a1", "ann", 1 * DAY),
    EndedRun("a2", "ann", 2 * DAY),
    EndedRun("a3", "ann", 3 * DAY),
    EndedRun("b1", "bob", 1 * DAY),
]


@pytest.mark.parametrize(
    ("days", "most", "gone"),
    [
        (0, 0, []),
        (7, 0, []),
        (2.5, 0, ["a1", "b1"]),
        (0, 1, ["a1", "a2"]),
        (0, 2, ["a1"]),
        (1.5, 2, ["a1", "a2", "b1"]),
    ],
)
def test_runs_expire_by_age_and_by_their_number_per_owner(days: float, most: int, gone: list[str]) -> None:
    assert expired(ENDED, now=4 * DAY, days=days, most=most) == gone


def feeding(
    run: str, owner: str, priority: "config_pb2.Priority.ValueType" = config_pb2.PRIORITY_UNSPECIFIED
) -> Feeding:
    return Feeding(run, owner, WEIGHTS[priority], 0.0)


def test_an_owner_s_share_does_not_grow_with_the_number_of_his_runs() -> None:
    runs = [feeding(f"a{number}", "ann") for number in range(9)] + [feeding("b", "bob")]
    assert share(runs[-1], runs) == pytest.approx(1 / 2)
    assert share(runs[0], runs) == pytest.approx(1 / 18)
    assert sum(share(run, runs) for run in runs) == pytest.approx(1)
    assert share(feeding("c", "eve"), []) == 1


def test_a_more_urgent_run_gets_more_among_owners_and_among_the_runs_of_one() -> None:
    high, low = config_pb2.PRIORITY_HIGH, config_pb2.PRIORITY_LOW
    runs = [feeding("a", "ann", high), feeding("b", "bob"), feeding("c", "bob", low)]
    assert [share(run, runs) for run in runs] == pytest.approx([0.8, 0.2 * 0.8, 0.2 * 0.2])
