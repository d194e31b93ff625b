"""What is run again, and what a fork's end means."""

from ucoder.core.fork_safety import ForkSafety
from ucoder.sandbox_runner.host.batch import SHARED, Batch, Program, batches
from ucoder.sandbox_runner.host.cell import CellResult, Ending, Report, read_report
from ucoder.sandbox_runner.sandbox_job import Limits

OK = CellResult("ok", "1", 0.0)
SLOW = CellResult("timeout_cpu", "", 0.1)
CLEAN = Ending("exit", 0, 20.0)
KILLED = Ending("exit", 11, 20.0)
LIMITS = Limits()


def programs(count: int, tests: int = 2, tame: bool = True) -> list[Program]:
    return [Program(key, f"# {key}", ForkSafety(tame, tame), [None] * tests) for key in range(count)]


def test_tame_programs_share_and_the_others_do_not() -> None:
    some = programs(SHARED + 1) + programs(2, tame=False)
    assert [(len(batch.programs), batch.shared) for batch in batches(some)] == [
        (SHARED, True), (1, True), (1, False), (1, False)
    ]  # fmt: skip
    assert not any(batch.shared for batch in batches(some, share=False))


def test_doubt_sends_everything_that_ran_in_the_fork_back_alone() -> None:
    batch = Batch(programs(4), shared=True)
    batch.reports = [Report(0, 0, (OK, OK)), Report(1, 0, (OK, OK), "threads")]
    again = batch.settle(CLEAN, LIMITS)
    assert [([program.key for program in one.programs], one.shared) for one in again] == [
        ([0], False), ([1], False), ([2, 3], True)
    ]  # fmt: skip
    assert not any(program.done for program in batch.programs)


def test_idle_cells_are_dealt_tame_programs_and_busy_ones_keep_them_together() -> None:
    assert [len(batch.programs) for batch in batches(programs(60), pieces=3)] == [20, 20, 20]
    assert [len(batch.programs) for batch in batches(programs(60), pieces=1)] == [60]
    assert [len(batch.programs) for batch in batches(programs(10), pieces=8)] == [8, 2]


def test_death_of_a_shared_fork_runs_the_culprit_alone() -> None:
    batch = Batch(programs(4), shared=True)
    batch.reports = [Report(0, 0, (OK, OK))]
    again = batch.settle(KILLED, LIMITS)
    assert [([one.key for one in each.programs], each.shared) for each in again] == [([1], False), ([2, 3], True)]
    assert batch.programs[0].done


def test_slow_shared_fork_that_ended_early_shares_again() -> None:
    batch = Batch(programs(3), shared=True)
    batch.reports = [Report(0, 0, (SLOW, SLOW))]
    [again] = batch.settle(CLEAN, LIMITS)
    assert ([one.key for one in again.programs], again.shared) == ([1, 2], True)


def test_crash_costs_one_test_and_three_abandon() -> None:
    [program] = programs(1, tests=5, tame=False)
    again = [Batch([program], shared=False)]
    for _ in range(3):
        again = again[0].settle(KILLED, LIMITS)
    assert again == []
    assert [result.status for result in program.results if result] == ["crashed"] * 5
    assert program.note == "abandoned"


def test_time_out_on_a_starved_cell_is_not_believed() -> None:
    starved = Ending("exit", 0, 20.0, stretch=4.0)
    batch = Batch(programs(2), shared=True)
    batch.reports = [Report(0, 0, (SLOW, SLOW)), Report(1, 0, (OK, OK))]
    [again] = batch.settle(starved, LIMITS)
    assert again.programs == [batch.programs[0]]
    assert again.frame([["call", "f()"]] * 2, LIMITS, 0, 1)["limits"]["cpu_seconds"] >= 4 * LIMITS.cpu_seconds
    assert batch.programs[1].done


def test_time_out_in_a_shared_fork_is_confirmed_alone_if_others_may_have_taken_its_time() -> None:
    batch = Batch(programs(2), shared=True)
    batch.reports = [Report(0, 0, (OK, SLOW), lost=0.6 * LIMITS.cpu_seconds), Report(1, 0, (OK, OK))]
    [again] = batch.settle(CLEAN, LIMITS)
    assert (again.programs, again.shared) == ([batch.programs[0]], False)
    again.reports = [Report(0, 0, (OK, OK))]
    assert again.settle(CLEAN, LIMITS) == []
    assert [result.status for result in batch.programs[0].results if result] == ["ok", "ok"]


def test_time_out_in_a_shared_fork_is_believed_where_the_test_had_its_time_for_certain() -> None:
    for lost, stretched in ((0.0, 1.0), (0.4, 1.0), (3.0, 4.0)):
        batch = Batch(programs(1), shared=True, stretch=stretched)
        batch.reports = [Report(0, 0, (OK, SLOW), lost=lost * LIMITS.cpu_seconds)]
        assert batch.settle(CLEAN, LIMITS) == []
        assert batch.programs[0].timed_out


def test_starved_cell_is_asked_a_few_times_only() -> None:
    batch = Batch(programs(1), shared=True)
    for _ in range(9):
        batch.reports = [Report(0, 0, (SLOW, SLOW))]
        again = batch.settle(Ending("exit", 0, 20.0, stretch=19.0), LIMITS)
        if not again:
            break
        [batch] = again
        batch.stretch = 1.0
    assert batch.programs[0].done


def test_report_that_does_not_fit_is_no_report() -> None:
    job = {"programs": [[0, "", True]], "tests": [["call", "f()"]], "first": 0, "limits": {"output_kb": 1}}
    good = b'{"program": 0, "test": 0, "result": ["ok", "1", 0.5]}'
    assert read_report(good, job) == Report(0, 0, (CellResult("ok", "1", 0.5),))
    broken = (b"", b"null", b"[]", b"{", b"[" * 100_000, b'"x"')
    changes = (
        (b'"ok"', b'"passed"'),
        (b"0.5", b"-1"),
        (b"0.5", b"NaN"),
        (b'"program": 0', b'"program": 7'),
        (b'"program": 0', b'"program": []'),
        (b'"program": 0', b'"program": false'),
        (b'"test": 0', b'"test": 1'),
        (b'"test": 0', b'"test": -1'),
        (b'"1"', b"1"),
        (b'"1"', b'"' + b"x" * 3000 + b'"'),
    )
    for bad in (*broken, *(good.replace(*change) for change in changes)):
        assert read_report(bad, job) is None, bad
