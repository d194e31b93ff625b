"""Tests of batches: what runs again, and what the end of a fork means."""

from ucoder.core.fork_safety import ForkSafety
from ucoder.sandbox_runner.guest.cell_protocol import REFRESH_STATUS, CellProgram, CellTest, Job
from ucoder.sandbox_runner.host.batch import MOST_SHARED, Batch, batches
from ucoder.sandbox_runner.host.cell import CellResult, ForkEnd, ProgramReport, read_report
from ucoder.sandbox_runner.host.program import Program
from ucoder.sandbox_runner.sandbox_job import Limits

OK = CellResult("ok", "1", 0.0)
SLOW = CellResult("timeout_cpu", "", 0.1)
CLEAN = ForkEnd("exit", 0, 20.0)
KILLED = ForkEnd("exit", 11, 20.0)
LIMITS = Limits()


def programs(count: int, tests: int = 2, fork_safe: bool = True) -> list[Program]:
    texts = [CellTest("call", f"f({number})") for number in range(tests)]
    return [Program(key, f"# {key}", ForkSafety(fork_safe, fork_safe), texts) for key in range(count)]


def test_fork_safe_programs_share_and_the_others_do_not() -> None:
    some = programs(MOST_SHARED + 1) + programs(2, fork_safe=False)
    assert [(len(batch.programs), batch.shared) for batch in batches(some)] == [
        (MOST_SHARED, True), (1, True), (1, False), (1, False)
    ]  # fmt: skip
    assert not any(batch.shared for batch in batches(some, share=False))


def test_after_a_changed_interpreter_all_that_ran_in_the_fork_runs_again_alone() -> None:
    batch = Batch(programs(4), shared=True)
    batch.reports = [ProgramReport(0, 0, (OK, OK)), ProgramReport(1, 0, (OK, OK), "threads")]
    again = batch.finish(CLEAN)
    assert [([program.key for program in one.programs], one.shared) for one in again] == [
        ([0], False), ([1], False), ([2, 3], True)
    ]  # fmt: skip
    assert not any(program.done for program in batch.programs)


def test_fork_safe_programs_are_divided_among_idle_cells() -> None:
    assert [len(batch.programs) for batch in batches(programs(60), pieces=3)] == [20, 20, 20]
    assert [len(batch.programs) for batch in batches(programs(60), pieces=1)] == [60]
    assert [len(batch.programs) for batch in batches(programs(10), pieces=8)] == [8, 2]


def test_the_program_at_which_a_shared_fork_died_runs_alone() -> None:
    batch = Batch(programs(4), shared=True)
    batch.reports = [ProgramReport(0, 0, (OK, OK))]
    again = batch.finish(KILLED)
    assert [([one.key for one in each.programs], each.shared) for each in again] == [([1], False), ([2, 3], True)]
    assert batch.programs[0].done


def test_programs_left_by_a_slow_shared_fork_share_again() -> None:
    batch = Batch(programs(3), shared=True)
    batch.reports = [ProgramReport(0, 0, (SLOW, SLOW))]
    [again] = batch.finish(CLEAN)
    assert ([one.key for one in again.programs], again.shared) == ([1, 2], True)


def test_a_crash_costs_one_test_and_three_end_the_program() -> None:
    [program] = programs(1, tests=5, fork_safe=False)
    again = [Batch([program], shared=False)]
    for _ in range(3):
        again = again[0].finish(KILLED)
    assert again == []
    assert [result.status for result in program.results if result] == ["crashed"] * 5
    assert program.note == "abandoned"


def test_a_time_out_on_a_loaded_machine_does_not_count() -> None:
    loaded = ForkEnd("exit", 0, 20.0, clock_factor=4.0)
    batch = Batch(programs(2), shared=True)
    batch.reports = [ProgramReport(0, 0, (SLOW, SLOW)), ProgramReport(1, 0, (OK, OK))]
    [again] = batch.finish(loaded)
    assert again.programs == [batch.programs[0]]
    assert again.job(1)["limits"]["cpu_seconds"] >= 4 * LIMITS.cpu_seconds
    assert batch.programs[1].done


def test_a_time_out_in_a_shared_fork_is_confirmed_alone_if_others_may_have_taken_its_time() -> None:
    batch = Batch(programs(2), shared=True)
    batch.reports = [ProgramReport(0, 0, (OK, SLOW), lost=0.6 * LIMITS.cpu_seconds), ProgramReport(1, 0, (OK, OK))]
    [again] = batch.finish(CLEAN)
    assert (again.programs, again.shared) == ([batch.programs[0]], False)
    again.reports = [ProgramReport(0, 0, (OK, OK))]
    assert again.finish(CLEAN) == []
    assert [result.status for result in batch.programs[0].results if result] == ["ok", "ok"]


def test_a_time_out_in_a_shared_fork_counts_where_the_test_had_its_time_for_certain() -> None:
    for lost, factor in ((0.0, 1.0), (0.4, 1.0), (3.0, 4.0)):
        batch = Batch(programs(1), shared=True, time_factor=factor)
        batch.reports = [ProgramReport(0, 0, (OK, SLOW), lost=lost * LIMITS.cpu_seconds)]
        assert batch.finish(CLEAN) == []
        assert batch.programs[0].timed_out


def test_a_loaded_machine_is_tried_a_few_times_only() -> None:
    batch = Batch(programs(1), shared=True)
    for _ in range(9):
        batch.reports = [ProgramReport(0, 0, (SLOW, SLOW))]
        again = batch.finish(ForkEnd("exit", 0, 20.0, clock_factor=19.0))
        if not again:
            break
        [batch] = again
        batch.time_factor = 1.0
    assert batch.programs[0].done


def test_a_script_has_a_fork_of_its_own_for_each_test() -> None:
    tests = [CellTest("call", "f()"), CellTest("script", "1"), CellTest("script", "2")]
    program = Program(0, "", ForkSafety(True, True), tests)
    [batch] = batches([program])
    job = batch.job(1)
    assert (batch.shared, job["script"], job["tests"]) == (False, False, [tests[:1]])
    batch.reports = [ProgramReport(0, 0, (OK,))]
    [batch] = batch.finish(CLEAN)
    assert (batch.job(2)["script"], batch.job(2)["tests"]) == (True, [tests[1:2]])
    batch.receive(0, b"out")
    [batch] = batch.finish(ForkEnd("exit", 0, 20.0))
    assert batch.job(3)["tests"] == [tests[2:]]
    assert batch.finish(ForkEnd("exit", 3 << 8, 20.0)) == []
    assert [(one.status, one.text) for one in program.results if one] == [
        ("ok", "1"), ("stdout", "out"), ("exception", "!SystemExit: 3")
    ]  # fmt: skip


def test_a_changed_process_is_replaced_and_only_after_a_result() -> None:
    refresh = ForkEnd("exit", REFRESH_STATUS << 8, 20.0)
    [program] = programs(1, tests=3, fork_safe=False)
    batch = Batch([program], shared=False)
    batch.job(1)
    batch.reports = [ProgramReport(0, 0, (OK,))]
    [batch] = batch.finish(refresh)
    assert (program.next_test, program.deaths, len(batch.job(2)["tests"][0])) == (1, 0, 2)
    [batch] = batch.finish(refresh)
    assert (program.next_test, program.deaths) == (2, 1)


def test_programs_of_other_runs_join_only_where_no_test_holds_what_it_expects() -> None:
    assert Batch(programs(2), shared=True).mergeable
    assert not Batch(programs(2), shared=False).mergeable
    plain = Program(0, "", ForkSafety(True, True), [CellTest("plain", "assert f() == 1")])
    assert not Batch([plain], shared=True).mergeable


def test_a_report_of_another_form_is_no_report() -> None:
    job: Job = {
        "id": 1, "interpreter": [], "most_reports": 2, "shared": False, "script": False, "seed": 0,
        "limits": {"output_kb": 1}, "programs": [CellProgram(0, "", True)], "tests": [[CellTest("call", "f()")]],
    }  # fmt: skip
    right = b'{"program": 0, "test": 0, "result": ["ok", "1", 0.5]}'
    assert read_report(right, job) == ProgramReport(0, 0, (CellResult("ok", "1", 0.5),))
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
    for wrong in (*broken, *(right.replace(*change) for change in changes)):
        assert read_report(wrong, job) is None, wrong
