"""The inputs that are shown as disagreements, and the answer of each cluster there."""

import pytest

from ucoder.consensus.disagreements import LONGEST, disagreements, input_of
from ucoder.core.clustering import BehaviourCluster
from ucoder.core.selection import Selection
from ucoder.v1 import artifacts_pb2 as pb

R, X, LOST = pb.OUTCOME_RETURNED, pb.OUTCOME_TIMEOUT_CPU, pb.OUTCOME_INFRA_ERROR


def shown(outputs: list[list[str]], codes: list[str], clusters: list[list[int]] | None = None) -> list[tuple]:
    rows = [
        pb.Row(program=n, outcomes=[R if text else X for text in row], outputs=row) for n, row in enumerate(outputs)
    ]
    members_of = clusters or [[n] for n in range(len(rows))]
    made = tuple(BehaviourCluster(tuple(members), 1.0, 0.1, 0) for members in members_of)
    selection = Selection(0, made, 0.5, 0.1, False, "")
    found = disagreements(selection, rows, [pb.TestCase(code=code) for code in codes])
    return [(one.input, tuple(one.outputs), tuple(one.tests)) for one in found]


def test_inputs_that_distinguish_the_winner_from_most_others_come_first() -> None:
    outputs = [["1", "1", "1"], ["1", "2", "1"], ["1", "2", "3"]]
    assert shown(outputs, ["f(0)", "f(10)", "f(2)"]) == [
        ("f(10)", ("1", "2", "2"), ()),
        ("f(2)", ("1", "1", "3"), ()),
    ]


def test_the_shortest_input_is_shown_where_several_distinguish_the_same_pairs() -> None:
    assert shown([["1", "1"], ["2", "2"]], ["f([1, 2, 3])", "f([])"])[0][0] == "f([])"


def test_the_tests_of_an_input_are_listed_and_equal_inputs_count_once() -> None:
    codes = ["assert f(1) == 2", "assert f(1) == 3", "f(1)"]
    found = shown([["2", "2", "2"], ["3", "3", "3"]], codes)
    assert found == [("f(1)", ("2", "3"), ("assert f(1) == 2", "assert f(1) == 3"))]


def test_a_member_with_an_infrastructure_error_does_not_answer_and_a_missing_output_is_named() -> None:
    rows = [
        pb.Row(program=0, outcomes=[LOST], outputs=[""]),
        pb.Row(program=1, outcomes=[R], outputs=["1"]),
        pb.Row(program=2, outcomes=[X], outputs=[""]),
    ]
    clusters = (BehaviourCluster((0, 1), 1.0, 0.6, 0), BehaviourCluster((2,), 0.5, 0.3, 0))
    found = disagreements(Selection(0, clusters, 0.5, 0.1, False, ""), rows, [pb.TestCase(code="f(1)")])
    assert list(found[0].outputs) == ["1", "timeout_cpu"]


def test_long_answers_are_shortened_and_marked() -> None:
    [(_, outputs, _)] = shown([["'" + "x" * 9000 + "'"], ["1"]], ["f(1)"])
    assert outputs[0].endswith("... (9002 characters)")
    assert len(outputs[0]) < LONGEST + 50


def test_clusters_that_agree_everywhere_have_no_disagreement() -> None:
    assert shown([["1"], ["1"]], ["f(1)"]) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("assert f(1) == 2", "f(1)"),
        ("assert 2 == f(1)", "f(1)"),
        ("assert not f(1)", "f(1)"),
        ("assert f(1)", "f(1)"),
        ("f(1)", "f(1)"),
        ("x = f(1)\nassert x", "x = f(1)\nassert x"),
        ("assert (", "assert ("),
    ],
)
def test_the_input_of_a_test(code: str, expected: str) -> None:
    assert input_of(pb.TestCase(code=code)) == expected


def test_the_input_of_a_script_is_its_standard_input() -> None:
    assert input_of(pb.TestCase(stdin="1 2", expected_stdout="3")) == "1 2"
