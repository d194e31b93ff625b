"""Answers from the rows that have arrived so far, and the decision to stop early."""

from ucoder.consensus.incremental_selection import IncrementalSelection
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2

TESTS = [pb.TestCase(code=f"assert f({n}) == {n}") for n in range(4)]


def selection_of(programs: int, strategy: str = "default", **fields: object) -> IncrementalSelection:
    texts = [f"def f(x):\n    return x + {number} - {number}\n" for number in range(programs)]
    config = config_pb2.SelectionConfig(strategy=strategy)
    return IncrementalSelection(
        consensus_pb2.SelectRequest(programs=texts, selection=config, **fields), TESTS, "f", 0.5
    )


def right(*programs: int) -> list[pb.Row]:
    passed = [pb.OUTCOME_PASSED] * 4
    return [pb.Row(program=n, outcomes=passed, outputs=["0", "1", "2", "3"], seconds=[0.25] * 4) for n in programs]


def test_without_a_finished_program_it_abstains_and_gives_the_reason() -> None:
    answer = selection_of(3).answer([], 2.0, late=True)
    assert answer.verdict.abstained
    assert answer.verdict.reason == "no_programs"
    assert (answer.stopped, answer.finished, answer.change) == ("partial", 0, 1)


def test_programs_keep_their_numbers_in_a_partial_answer() -> None:
    answer = selection_of(9).answer(right(7, 2, 5), 2.0, late=True)
    assert sorted(answer.verdict.clusters[0].members) == [2, 5, 7]
    assert answer.verdict.selected in (2, 5, 7)
    assert answer.stopped == "partial"


def test_it_is_settled_when_the_remaining_programs_cannot_change_it() -> None:
    answer = selection_of(200).answer(right(*range(199)), 2.0, late=False)
    assert (answer.stopped, answer.change) == ("settled", 0)
    assert selection_of(200).answer(right(0, 1), 2.0, late=False).stopped == ""
    likely = selection_of(100, max_change=0.05).answer(right(*range(60)), 2.0, late=False)
    assert likely.stopped == "settled"
    assert 0 < likely.change <= 0.05


def test_another_strategy_has_no_forecast_and_waits_for_all_programs() -> None:
    answer = selection_of(200, "codet").answer(right(*range(199)), 2.0, late=False)
    assert (answer.stopped, answer.change) == ("", 1)
    assert selection_of(200, "codet").answer(right(*range(200)), 2.0, late=False).change == 0


def test_the_cost_counts_distinct_programs() -> None:
    selection = selection_of(3)
    selection.request.programs.append(selection.request.programs[0])
    cost = selection.answer(right(0, 1, 2, 3), 2.0, late=False).cost
    assert (cost.programs, cost.duplicates, cost.runs) == (3, 1, 12)
    assert (cost.program_seconds, cost.execution_seconds, cost.synthesis_seconds) == (3.0, 2.0, 0.5)


def test_the_bound_of_the_theorem_is_added_on_request() -> None:
    wrong = pb.Row(program=3, outcomes=[pb.OUTCOME_FAILED] * 4, outputs=["9", "8", "7", "6"])
    other = pb.Row(program=4, outcomes=[pb.OUTCOME_FAILED] * 4, outputs=["9", "5", "7", "6"])
    rows = [*right(0, 1, 2), wrong, other]
    assert not selection_of(5).answer(rows, 2.0, late=False).verdict.HasField("theorem_bound")
    bound = selection_of(5, theorem_bound=True).answer(rows, 2.0, late=False).verdict.theorem_bound
    assert (bound.programs, bound.tests, bound.collision_rate, bound.delta) == (5, 4, 0.75, 0.05)
    assert bound.printed == bound.corrected == 0
    assert [premise.name for premise in bound.premises] == [
        "independent_candidates", "wrong_programs_differ", "independent_tests", "enough_tests"
    ]  # fmt: skip
    assert bound.sentence.startswith("Theorem 2.4: 5 programs, 4 tests")


def test_no_bound_without_a_selected_program() -> None:
    answer = selection_of(3, theorem_bound=True).answer([], 2.0, late=True)
    assert not answer.verdict.HasField("theorem_bound")


def test_a_bound_without_two_wrong_programs_has_no_rate() -> None:
    bound = selection_of(2, theorem_bound=True).answer(right(0, 1), 2.0, late=False).verdict.theorem_bound
    assert not bound.HasField("collision_rate")
