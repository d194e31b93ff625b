"""Ratings: read, ranked, held against what was observed."""

import pytest

from ucoder.core.ratings import expected_solve_rates, rank_correlation, ranks, read_rating


def test_ratings_are_read_leniently() -> None:
    assert [read_rating(text) for text in ("3", "Difficulty: 4.5/5", "none", "9")] == [3.0, 4.5, None, None]


def test_equal_ratings_share_the_middle_of_their_places() -> None:
    assert ranks([5, 3, 5, 4]).tolist() == pytest.approx([5 / 6, 0, 5 / 6, 1 / 3])
    assert ranks([4]).tolist() == [0.5]
    assert ranks([]).tolist() == []


def test_correlation_by_hand() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 25]) == pytest.approx(1.0)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert rank_correlation([4, 4, 4], [1, 2, 3]) == rank_correlation([], []) == 0.0


def test_what_is_rated_harder_is_never_expected_to_be_solved_more_often() -> None:
    found = expected_solve_rates([0.0, 0.25, 0.5, 1.0], [0.9, 0.5, 0.7, 0.1])
    assert found.tolist() == pytest.approx([0.9, 0.6, 0.6, 0.1])
