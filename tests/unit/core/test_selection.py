"""Laws that hold for every strategy, and the answers of each computed by hand."""

from math import lgamma, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ucoder.core.matrix import Matrix
from ucoder.core.selection import STRATEGIES, select

from .matrices import matrix_arguments, matrix_of_letters, written_tests

ALL = sorted(STRATEGIES)


@pytest.mark.parametrize("strategy", ALL)
@given(case=matrix_arguments(), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_no_shuffle_changes_the_answer(strategy: str, case: dict, seed: int) -> None:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    p, t = rng.permutation(len(case["outcomes"])), rng.permutation(len(case["tests"]))
    shuffled = {
        "outcomes": [[case["outcomes"][i][j] for j in t] for i in p],
        "outputs": [[case["outputs"][i][j] for j in t] for i in p],
        "tests": [case["tests"][j] for j in t],
        "log_probs": [case["log_probs"][i] for i in p],
        "programs": [case["programs"][i] for i in p],
    }
    one, other = select(Matrix.build(**case), strategy), select(Matrix.build(**shuffled), strategy)
    assert one.winner == (None if other.winner is None else p[other.winner])
    assert [c.members for c in one.clusters] == [tuple(p[list(c.members)].tolist()) for c in other.clusters]
    assert (one.confidence, one.margin, one.reason) == (other.confidence, other.margin, other.reason)
    if one.test_plausibility is not None and other.test_plausibility is not None:
        np.testing.assert_array_equal(one.test_plausibility[t], other.test_plausibility)


@pytest.mark.parametrize("strategy", ALL)
@given(case=matrix_arguments())
@settings(max_examples=15, deadline=None)
def test_a_selection_is_well_formed(strategy: str, case: dict) -> None:  # type: ignore[type-arg]
    chosen = select(Matrix.build(**case), strategy)
    members = sorted(i for cluster in chosen.clusters for i in cluster.members)
    assert members == list(range(len(case["outcomes"])))
    assert sum(cluster.share for cluster in chosen.clusters) == pytest.approx(1)
    assert 0 <= chosen.confidence <= 1
    assert [c.score for c in chosen.clusters] == sorted((c.score for c in chosen.clusters), reverse=True)
    assert chosen.abstained == (chosen.winner is None) == bool(chosen.reason)
    assert chosen.abstained or chosen.winner == chosen.clusters[0].members[0]


@pytest.mark.parametrize("strategy", ALL)
def test_no_programs(strategy: str) -> None:
    chosen = select(Matrix.build([], None, [], log_probs=[]), strategy)
    assert (chosen.winner, chosen.clusters, chosen.reason) == (None, (), "no_programs")


@pytest.mark.parametrize("strategy", sorted(set(ALL) - {"ucoder"}))
def test_one_program_that_passes(strategy: str) -> None:
    assert select(matrix_of_letters(["PP"], log_probs=[-1.0]), strategy).winner == 0


def test_one_program_is_no_consensus_by_the_paper() -> None:
    assert select(matrix_of_letters(["PP"]), "ucoder").reason == "nothing_eligible"


@pytest.mark.parametrize("strategy", ["ucoder", "codet", "b4", "mbr_exec", "alphacode", "max_pass"])
def test_programs_that_never_run_are_not_chosen(strategy: str) -> None:
    chosen = select(matrix_of_letters(["XX", "XT", "XX"]), strategy)
    assert (chosen.winner, chosen.reason, chosen.confidence) == (None, "nothing_eligible", 0.0)


@pytest.mark.parametrize("strategy", ["ucoder", "codet", "b4", "mbr_exec", "alphacode", "max_pass"])
@pytest.mark.parametrize("letter", ["I", "N", "U", "X"])
def test_many_programs_without_votes_lose_to_two_that_agree(strategy: str, letter: str) -> None:
    assert select(matrix_of_letters([letter * 3] * 9 + ["PPF", "PPF"]), strategy).winner == 9


@pytest.mark.parametrize("strategy", ALL)
def test_ten_thousand_programs(strategy: str) -> None:
    rows = ["PPF", "PFF", "FFX", "XXX", "PPP"] * 2000
    chosen = select(matrix_of_letters(rows, log_probs=[-1.0] * 10_000), strategy)
    assert chosen.winner is not None
    assert sum(len(cluster.members) for cluster in chosen.clusters) == 10_000


def test_unknown_names_list_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'best'.*ucoder, codet"):
        select(matrix_of_letters(["P"]), "best")
    with pytest.raises(ValueError, match=r"'rhoo'.*exclude_all_fail, min_confidence"):
        select(matrix_of_letters(["P"]), "ucoder", rhoo=1)
    with pytest.raises(ValueError, match="0 or 1"):
        select(matrix_of_letters(["P"]), "ucoder", outputs=0.5)


def test_thresholds_abstain_with_their_name() -> None:
    m = matrix_of_letters(["PP", "PP", "PF", "FP"])
    assert select(m, "codet", min_share=0.5).winner == 0
    assert select(m, "codet", min_share=0.51).reason == "below_min_share"
    assert select(m, "codet", min_confidence=0.51).reason == "below_min_confidence"


def test_ties_fall_to_the_likelier_program() -> None:
    assert select(matrix_of_letters(["PF", "FP"], log_probs=[-2.0, -1.0]), "codet").winner == 1
    assert select(matrix_of_letters(["PP", "PP"], log_probs=[-2.0, -1.0]), "b4").winner == 1


class TestUCoder:
    def test_the_largest_cluster_of_those_that_execute(self) -> None:
        rows = ["XXXXP"] * 4 + ["PPPPF"] * 3 + ["PPPPP"] * 2
        assert select(matrix_of_letters(rows), "ucoder").clusters[0].members == (4, 5, 6)

    def test_the_cluster_that_fails_every_test_wins_unless_excluded(self) -> None:
        m = matrix_of_letters(["FFF"] * 3 + ["PPP"] * 2)
        assert select(m, "ucoder").winner == 0
        assert select(m, "ucoder", exclude_all_fail=1).winner == 3

    def test_execution_rate_comes_before_likelihood(self) -> None:
        m = matrix_of_letters(["PPPPPPPPPX", "PPPPPPPPPF"], log_probs=[-1.0, -2.0])
        assert select(m, "ucoder").winner == 1

    def test_tau_is_a_share_of_the_samples(self) -> None:
        m = matrix_of_letters(["PP", "PP", "PF", "FP"])
        assert select(m, "ucoder", tau=0.5).winner == 0
        assert select(m, "ucoder", tau=0.6).abstained


class TestCodeT:
    def test_score_by_hand(self) -> None:
        m = matrix_of_letters(["PPF"] * 4 + ["PFP"], counts=[1, 2, 6])
        chosen = select(m, "codet")
        assert [cluster.score for cluster in chosen.clusters] == pytest.approx([sqrt(1) * 7, sqrt(4) * 3])

    def test_equal_scores_merge(self) -> None:
        assert select(matrix_of_letters(["PF", "FP", "FF"]), "codet").clusters[0].members == (0, 1)


class TestB4:
    def test_score_by_hand(self) -> None:
        """Two programs pass test 0, one passes test 1: the set {0, 1} x {0}."""

        def log_beta(ones: float, size: float, a: float, b: float) -> float:
            return lgamma(ones + a) + lgamma(size - ones + b) - lgamma(size + a + b)

        chosen = select(matrix_of_letters(["PF", "PF", "FP"]), "b4")
        score = log_beta(1, 2, 1e3, 1) + log_beta(2, 3, 1e3, 1) + log_beta(0, 1, 1, 1) + log_beta(1, 1, 1, 1e5)
        assert chosen.clusters[0].members == (0, 1)
        assert chosen.clusters[0].score == pytest.approx(score)

    def test_duplicates_count_once(self) -> None:
        rows, programs = ["PF"] * 3 + ["FP"] * 2, ["x=1", "x = 1", "x= 1", "y=1", "z=1"]
        assert set(select(matrix_of_letters(rows, programs=programs), "b4").clusters[0].members) == {3, 4}
        assert set(select(matrix_of_letters(rows, programs=programs), "b4", distinct=0).clusters[0].members) == {
            0,
            1,
            2,
        }


def test_output_agreement_ignores_expected_values() -> None:
    m = matrix_of_letters(["RF", "RF", "PP"], outputs=[["5", "6"], ["5", "6"], ["0", "1"]])
    assert select(m, "alphacode").winner == 0
    assert select(m, "max_pass").winner == 2


def test_mbr_counts_agreement_test_by_test() -> None:
    """Program 2 shares half its outputs with each pair; nobody else is that central."""
    outputs = [["a", "b", "x", "y"], ["x", "y", "c", "d"], ["a", "b", "c", "d"]]
    chosen = select(matrix_of_letters(["FFFF"] * 3, outputs=outputs), "mbr_exec")
    assert chosen.winner == 2
    assert [cluster.score for cluster in chosen.clusters] == pytest.approx([-1 / 3, -1 / 2, -1 / 2])


def test_mbr_failures_equal_nothing() -> None:
    assert select(matrix_of_letters(["XXR", "XXR", "XXR", "RRX", "RRX"]), "mbr_exec").winner == 3


def test_max_pass_counts_tests_once_unless_told() -> None:
    m = matrix_of_letters(["PPF", "FFP"], counts=[1, 1, 9])
    assert select(m, "max_pass").winner == 0
    assert select(m, "max_pass", counts=1).winner == 1


def test_low_ppl_is_the_likeliest_and_demands_likelihoods() -> None:
    assert select(matrix_of_letters(["PP", "FF"], log_probs=[-2.0, -1.0]), "low_ppl").winner == 1
    with pytest.raises(ValueError, match="needs log_probs"):
        select(matrix_of_letters(["PP"]), "low_ppl")


def test_success_rate_is_execution_not_passing() -> None:
    assert select(matrix_of_letters(["PPX", "FFF"]), "success_rate").winner == 1


def test_random_draws_every_program_in_the_end() -> None:
    m = matrix_of_letters(["P", "F", "X"], programs=["a", "b", "c"])
    assert {select(m, "random", seed=seed).winner for seed in range(40)} == {0, 1, 2}
    assert len({select(m, "random", seed=7).winner for _ in range(5)}) == 1


def test_multiplicity_stands_for_samples() -> None:
    outcomes = [["passed", "failed"], ["failed", "passed"]]
    m = Matrix.build(outcomes, None, written_tests(2), multiplicity=[1, 5])
    chosen = select(m, "codet")
    assert (chosen.winner, chosen.clusters[0].share) == (1, pytest.approx(5 / 6))
