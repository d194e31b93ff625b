"""The concurrency limit grows and shrinks with the server's answers."""

import asyncio

from ucoder.models.concurrency_limit import RECENT_ANSWERS, SLOWDOWN_LIMIT, ConcurrencyLimit


async def rounds(limit: ConcurrencyLimit, count: int, seconds_per_token: float) -> None:
    """Runs `count` rounds in which every slot is taken and answered."""
    for _ in range(count):

        async def request(all_started: asyncio.Barrier) -> None:
            async with limit.slot():
                await all_started.wait()
                limit.record_answer(seconds_per_token)

        size = limit.value
        barrier = asyncio.Barrier(size)
        await asyncio.gather(*(request(barrier) for _ in range(size)))


async def test_the_limit_doubles_up_to_the_most_while_the_server_keeps_up() -> None:
    limit = ConcurrencyLimit(start=4, most=100)
    await rounds(limit, 4, 0.01)
    assert 12 <= limit.value <= 64
    await rounds(limit, 8, 0.01)
    assert limit.value == 100


async def test_after_an_overload_it_grows_by_at_most_one_a_round() -> None:
    limit = ConcurrencyLimit(start=20)
    limit.record_refusal()
    await rounds(limit, 6, 0.01)
    assert 15 <= limit.value <= 20


async def test_slow_answers_shrink_it_once_a_round_but_not_below_the_start() -> None:
    limit = ConcurrencyLimit(start=8)
    await rounds(limit, 3, 0.01)
    before = limit.value
    await rounds(limit, 1, 0.01 * SLOWDOWN_LIMIT * 2)
    assert limit.value == int(before * 0.9)
    limit = ConcurrencyLimit(start=8)
    limit.record_answer(0.01)
    await rounds(limit, 10, 0.01 * SLOWDOWN_LIMIT * 2)
    assert limit.value == 8


async def test_a_machine_that_stays_slower_is_not_taken_for_a_queue() -> None:
    limit = ConcurrencyLimit(start=8, most=64)
    limit.record_answer(0.01)
    await rounds(limit, 2 + RECENT_ANSWERS // 8, 0.01 * SLOWDOWN_LIMIT * 2)
    slow = limit.value
    await rounds(limit, 20, 0.01 * SLOWDOWN_LIMIT * 2)
    assert limit.value > slow


async def test_a_limit_that_is_never_reached_does_not_grow() -> None:
    limit = ConcurrencyLimit(start=16)
    for _ in range(500):
        async with limit.slot():
            limit.record_answer(0.01)
    assert limit.value == 16


async def test_refusals_shrink_it_once_a_round_and_never_below_one() -> None:
    limit = ConcurrencyLimit(start=64)

    async def refused_request(all_started: asyncio.Barrier) -> None:
        async with limit.slot():
            await all_started.wait()
            limit.record_refusal()

    for expected in (44, 31):
        barrier = asyncio.Barrier(limit.value)
        await asyncio.gather(*(refused_request(barrier) for _ in range(limit.value)))
        assert limit.value == expected
    for _ in range(50):
        limit.record_refusal()
    assert limit.value == 1


async def test_no_more_than_the_limit_are_under_way() -> None:
    limit, under_way, most = ConcurrencyLimit(start=3), 0, 0

    async def request() -> None:
        nonlocal under_way, most
        async with limit.slot():
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            under_way -= 1

    await asyncio.gather(*(request() for _ in range(30)))
    assert most == 3


async def test_a_cancelled_request_gives_its_slot_back() -> None:
    limit = ConcurrencyLimit(start=1)

    async def endless_request() -> None:
        async with limit.slot():
            await asyncio.Event().wait()

    task = asyncio.create_task(endless_request())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(1), limit.slot():
        pass
