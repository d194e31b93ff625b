"""Adaptive sampling: when it stops, how many programs it may take, and which numbers they have."""

import asyncio

import pytest

from ucoder.generator.adaptive_sampling import SampledPrograms, sample_adaptively
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2


def sampled(
    changes: list[float], *, n: int = 32, round: int = 8, most: int = 64, grants: int = 0, over_after: int = 99
) -> tuple[SampledPrograms, list[tuple[int, int]], list[int]]:
    """Returns the result, the samples (first, count), and the totals that were forecast; the last change repeats."""
    samples: list[tuple[int, int]] = []
    totals: list[int] = []
    left = [grants]

    async def sample(first: int, count: int) -> list[pb.Candidate]:
        samples.append((first, count))
        return [pb.Candidate(program=str(first + i)) for i in range(count)]

    async def change_probability(programs: SampledPrograms, total: int) -> float:
        totals.append(total)
        return changes[min(len(totals), len(changes)) - 1]

    async def grant(count: int) -> bool:
        left[0] -= 1
        return left[0] >= 0

    async def iteration_ended() -> bool:
        return len(samples) >= over_after

    config = config_pb2.CandidateConfig(n=n, round=round, most=most, max_change=0.05)
    return asyncio.run(sample_adaptively(sample, change_probability, grant, iteration_ended, config)), samples, totals


def test_it_stops_at_the_first_forecast_that_finds_it_decided() -> None:
    programs, samples, totals = sampled([0.4, 0.04])
    assert samples == [(0, 8), (8, 8)]
    assert totals == [32, 32]
    assert [one.program for one in programs.candidates] == [str(i) for i in range(16)]
    assert not programs.undecided


def test_an_undecided_problem_takes_its_budget_and_no_more() -> None:
    programs, samples, totals = sampled([1.0])
    assert sum(count for _, count in samples) == 32
    assert totals == [32, 32, 32, 64]
    assert programs.undecided


def test_unused_programs_of_other_problems_go_to_undecided_ones_up_to_the_most() -> None:
    assert len(sampled([1.0], grants=2)[0].candidates) == 48
    assert len(sampled([1.0], grants=99)[0].candidates) == 64
    assert len(sampled([1.0, 1.0, 1.0, 1.0, 0.0], grants=99)[0].candidates) == 40
    assert len(sampled([1.0], grants=99, most=0)[0].candidates) == 32


@pytest.mark.parametrize(("n", "round", "counts"), [(20, 8, [8, 8, 4]), (5, 8, [5]), (8, 8, [8])])
def test_the_last_round_of_the_budget_may_be_smaller(n: int, round: int, counts: list[int]) -> None:
    assert [count for _, count in sampled([1.0], n=n, round=round, most=n)[1]] == counts


def test_no_further_round_is_sampled_after_the_iteration_has_ended() -> None:
    programs, samples, totals = sampled([1.0], over_after=2)
    assert (len(samples), totals) == (2, [32])
    assert not programs.undecided
