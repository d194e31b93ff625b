"""What is known from the rows so far, and whether it is the answer."""

from ucoder.consensus.incremental_selection import IncrementalSelection
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

TESTS = [pb.TestCase(code=f"assert f({n}) == {n}") for n in range(4)]


def inquiry(programs: int, strategy: str = "default", **fields: object) -> IncrementalSelection:
    texts = [f"def f(x):\n    return x + {number} - {number}\n" for number in range(programs)]
    config = config_pb2.SelectionConfig(strategy=strategy)
    return IncrementalSelection(
        consensus_pb2.SelectRequest(programs=texts, selection=config, **fields), TESTS, "f", 0.5
    )


def right(*programs: int) -> list[pb.Row]:
    passed = [pb.OUTCOME_PASSED] * 4
    return [pb.Row(program=n, outcomes=passed, outputs=["0", "1", "2", "3"], seconds=[0.25] * 4) for n in programs]


def test_nothing_finished_in_time_is_an_abstention_that_says_so() -> None:
    answer = inquiry(3).answer([], 2.0, late=True)
    assert answer.verdict.abstained
    assert answer.verdict.reason == "no_programs"
    assert (answer.stopped, answer.finished, answer.change) == ("partial", 0, 1)


def test_programs_keep_their_numbers_whatever_has_finished() -> None:
    answer = inquiry(9).answer(right(7, 2, 5), 2.0, late=True)
    assert sorted(answer.verdict.clusters[0].members) == [2, 5, 7]
    assert answer.verdict.selected in (2, 5, 7)
    assert answer.stopped == "partial"


def test_it_is_settled_when_no_rest_could_change_it() -> None:
    answer = inquiry(200).answer(right(*range(199)), 2.0, late=False)
    assert (answer.stopped, answer.change) == ("settled", 0)
    assert inquiry(200).answer(right(0, 1), 2.0, late=False).stopped == ""
    likely = inquiry(100, max_change=0.05).answer(right(*range(60)), 2.0, late=False)
    assert likely.stopped == "settled"
    assert 0 < likely.change <= 0.05


def test_another_strategy_cannot_tell_and_waits_for_all() -> None:
    answer = inquiry(200, "codet").answer(right(*range(199)), 2.0, late=False)
    assert (answer.stopped, answer.change) == ("", 1)
    assert inquiry(200, "codet").answer(right(*range(200)), 2.0, late=False).change == 0


def test_the_cost_counts_distinct_programs() -> None:
    asked = inquiry(3)
    asked.request.programs.append(asked.request.programs[0])
    cost = asked.answer(right(0, 1, 2, 3), 2.0, late=False).cost
    assert (cost.programs, cost.duplicates, cost.runs) == (3, 1, 12)
    assert (cost.program_seconds, cost.execution_seconds, cost.synthesis_seconds) == (3.0, 2.0, 0.5)
