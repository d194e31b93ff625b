"""Sandbox-runners killed at random under load: no row is lost, repeated or counted as a failure of a program."""

from ucoder_development.scale_test import kill_runners
from ucoder_development.scale_test_bed import ScaleTestBed


async def test_killing_runners_loses_and_repeats_nothing() -> None:
    async with ScaleTestBed.open("auto", loops=500) as ground:
        harm = await kill_runners(ground, messages=12, kills=3, seed=7)
    assert harm == {
        "kills": 3, "messages": 12, "rows_lost": 0, "rows_wrong": 0, "counted_twice": 0, "infra_errors": 0,
        "dead_letters": 0,
    }  # fmt: skip
