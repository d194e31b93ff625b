"""The default strategy: each of its signs alone decides where the others are equal."""

from math import log, log1p, sqrt

import numpy as np
import pytest

from ucoder.core.matrix import Matrix
from ucoder.core.selection import DEFAULT, select
from ucoder.core.selection.confidence import FITTED, USUAL_CONDITION_GAP, USUAL_WORD_COVERAGE

from .matrices import Test, matrix_of_letters, written_tests

SHORT, LONG = "def f(x):\n    return x\n", "def f(x):\n    y = x + 1\n    z = y * 2\n    return [x, y, z]\n"


def test_it_is_the_default() -> None:
    assert DEFAULT == "evidence"


def test_the_score_by_hand() -> None:
    """Three of four programs pass tests 0 and 1, written 4 times and once; the fourth passes test 2."""
    m = matrix_of_letters(["PPF"] * 3 + ["FFP"], counts=[4, 1, 1], outputs=[["0", "1", "x"]] * 3 + [["y", "y", "2"]])
    scores = [cluster.score for cluster in select(m).clusters]
    assert scores == pytest.approx([log(3.5 / 1.5) + log1p(2 + 1) + 0.75, log(1.5 / 3.5) + log1p(1) + 0.25], rel=1e-12)


def test_many_samples_outweigh_few_passes_of_wrong_tests() -> None:
    outputs = [["7", "8", "9"]] * 9 + [["0", "1", "9"]] * 2
    assert select(matrix_of_letters(["FFF"] * 9 + ["PPF"] * 2, outputs=outputs)).winner == 0


def test_passes_decide_among_small_clusters() -> None:
    outputs = [["7", "8", "9"]] * 2 + [["0", "1", "9"]] * 2 + [[str(i)] * 3 for i in range(6)]
    assert select(matrix_of_letters(["FFF"] * 2 + ["PPF"] * 2 + ["FFF"] * 6, outputs=outputs)).winner == 2


def test_programs_that_differ_on_few_inputs_support_a_cluster() -> None:
    """Equal shares, no passes: the first agrees with a third program on all but one input."""
    outputs = [["a", "b", "c", "d"], ["w", "x", "y", "z"], ["a", "b", "c", "other"]]
    assert select(matrix_of_letters(["FFFF"] * 3, outputs=outputs)).clusters[0].members == (0,)


def test_a_constant_answer_is_doubted_from_four_inputs_on() -> None:
    def winner(inputs: int) -> int | None:
        outputs = [["0"] * inputs] * 3 + [[str(i) for i in range(inputs)]] * 2
        return select(matrix_of_letters(["R" * inputs] * 5, outputs=outputs), agreement=0, simplicity=0).winner

    assert (winner(3), winner(4)) == (0, 3)


def test_a_program_simpler_than_most_is_doubted() -> None:
    outputs = [["1", "2"]] * 3 + [["3", "4"]] * 3
    m = matrix_of_letters(["FF"] * 6, outputs=outputs, programs=[SHORT] * 3 + [LONG] * 3)
    assert select(m).winner in (3, 4, 5)
    assert select(m).clusters[0].score > select(m).clusters[1].score


def test_size_evidence_is_limited_at_twice_the_median() -> None:
    bloated = SHORT + "".join(f"x{i} = {i}\n" for i in range(400))
    outputs = [["1", "2"]] * 3 + [["3", "4"]]
    chosen = select(matrix_of_letters(["FF"] * 4, outputs=outputs, programs=[SHORT] * 3 + [bloated]))
    assert chosen.clusters[1].score == pytest.approx(log(1.5 / 3.5) + 0.25 + log(2))


def test_the_most_typical_member_is_taken() -> None:
    odd = "def f(x):\n    while True:\n        return (lambda q: q)(x)\n"
    m = matrix_of_letters(["PP"] * 4, programs=[odd, LONG, LONG.replace("z", "w"), LONG.replace("y", "v")])
    assert select(m).winner != 0
    assert select(m, typical=0).clusters[0].members != select(m).clusters[0].members


def test_without_tests_the_commonest_tree_wins() -> None:
    m = matrix_of_letters([""] * 4, programs=["x = 1", "y = 2", "x = 1 # again", "z = 3"])
    chosen = select(m)
    assert chosen.winner in (0, 2)
    assert chosen.clusters[0].share == chosen.confidence == 0.5
    assert not chosen.calibrated


def test_confidence_is_the_fitted_map_of_the_winner() -> None:
    """Three of the four programs that ran agree; a fifth crashed and does not count in their share."""
    chosen = select(matrix_of_letters(["PP"] * 3 + ["FF", "XX"], programs=[SHORT] * 5))
    assert chosen.calibrated
    features = np.array([[1.0, log(3.5 / 1.5), log(5), USUAL_CONDITION_GAP, USUAL_WORD_COVERAGE, 0.0]])
    assert chosen.confidence == pytest.approx(float(FITTED.probability(features)[0]))
    gap = chosen.clusters[0].score - chosen.clusters[1].score
    assert chosen.margin == pytest.approx(chosen.confidence * (1 - np.exp(-gap)))


def test_inputs_without_expected_values_lower_the_confidence() -> None:
    stated, bare = (select(matrix_of_letters([row] * 3, programs=[SHORT] * 3)).confidence for row in ("PF", "RR"))
    assert log(bare / (1 - bare)) - log(stated / (1 - stated)) == pytest.approx(FITTED.weights[-1])


def test_a_program_that_gives_up_is_alone_and_never_selected() -> None:
    idle, answers = 'def f(x):\n    """Twice x."""\n', "def f(x):\n    return 2 * x\n"
    rows, outputs = ["RR"] * 9, [["None", "None"]] * 7 + [["2", "4"]] * 2
    chosen = select(matrix_of_letters(rows, outputs=outputs, programs=[idle] * 7 + [answers] * 2))
    assert chosen.winner == 7
    assert [len(cluster.members) for cluster in chosen.clusters] == [2] + [1] * 7
    assert select(matrix_of_letters(rows, outputs=outputs, programs=[idle] * 9)).reason == "nothing_eligible"


def test_agreement_raises_the_confidence() -> None:
    def confidence(agreeing: int) -> float:
        outputs = [["1", "2"]] * agreeing + [[f"a{i}", "b"] for i in range(20 - agreeing)]
        return select(matrix_of_letters(["RR"] * 20, outputs=outputs, programs=[LONG] * 20)).confidence

    assert confidence(6) < confidence(12) < confidence(20)


def test_more_samples_raise_the_confidence_up_to_the_fitted_number() -> None:
    def confidence(samples: int) -> float:
        rows = ["PP"] * (samples // 2) + ["FF"] * (samples // 2)
        return select(matrix_of_letters(rows, programs=[LONG] * len(rows))).confidence

    assert confidence(8) < confidence(64)
    assert confidence(128) == pytest.approx(confidence(1024), abs=0.001)


TWO_CASES = "Sum the values, but return 0 if there is none."
PLAIN, CAREFUL = "return sum(values)", "return sum(values) if values else 0"


def confidence_of(doc: str, body: str, task: str = "") -> float:
    program = f'def f(values):\n    """{doc}"""\n    {body}\n' if doc else f"def f(values):\n    {body}\n"
    outcomes, tests = [["returned"] * 2] * 5, [Test("f([1])"), Test("f([2])")]
    return select(Matrix.build(outcomes, [["1", "2"]] * 5, tests, programs=[program] * 5, task=task)).confidence


def test_a_condition_without_a_branch_lowers_the_confidence() -> None:
    assert confidence_of(TWO_CASES, PLAIN) < confidence_of(TWO_CASES, CAREFUL)
    assert confidence_of(TWO_CASES, PLAIN) < confidence_of("Sum the values.", PLAIN)


def test_a_program_that_uses_few_words_of_the_task_lowers_the_confidence() -> None:
    assert confidence_of("Sum the values and scale them by the greatest divisor.", PLAIN) < confidence_of(
        "Sum the values.", PLAIN
    )


def test_the_task_text_is_read_where_programs_have_no_docstring() -> None:
    assert confidence_of("", PLAIN, TWO_CASES) == confidence_of(TWO_CASES, PLAIN)
    skeleton = f'def f(values):\n    """{TWO_CASES}"""\n'
    assert confidence_of("", PLAIN, skeleton) == confidence_of(TWO_CASES, PLAIN)
    assert confidence_of("Sum the values.", PLAIN, TWO_CASES) == confidence_of("Sum the values.", PLAIN)


def test_a_test_is_as_plausible_as_the_clusters_that_pass_it() -> None:
    tests = [Test("assert f(1) == 1"), Test("assert f(1) == 2"), Test("f(5)")]
    outcomes = [["passed", "failed", "returned"]] * 8 + [["failed", "passed", "exception"]]
    outputs = [["1", "1", "0"]] * 8 + [["2", "2", "!E: x"]]
    found = select(Matrix.build(outcomes, outputs, tests)).test_plausibility
    assert found is not None
    assert found[0] > 0.9
    assert found[0] + found[1] == pytest.approx(1)
    assert found[2] == pytest.approx(found[0])


def test_when_all_programs_crash_it_abstains_and_no_test_is_plausible() -> None:
    chosen = select(matrix_of_letters(["XX", "XT"]))
    assert (chosen.winner, chosen.reason, chosen.confidence) == (None, "nothing_eligible", 0.0)
    assert chosen.test_plausibility is not None
    assert chosen.test_plausibility.tolist() == [0.0, 0.0]


def test_a_repeated_test_counts_as_its_square_root() -> None:
    once = select(matrix_of_letters(["PF", "FP"], counts=[1, 1], outputs=[["0", "x"], ["y", "1"]]))
    often = select(matrix_of_letters(["PF", "FP"], counts=[9, 1], outputs=[["0", "x"], ["y", "1"]]))
    assert often.winner == 0
    assert often.clusters[0].score - once.clusters[0].score == pytest.approx(log1p(sqrt(9)) - log1p(1))


def test_outcomes_alone_are_enough() -> None:
    outcomes = [["passed", "failed"]] * 3 + [["failed", "passed"]]
    assert select(Matrix.build(outcomes, None, written_tests(2))).winner == 0
