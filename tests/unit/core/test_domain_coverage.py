"""The next iteration asks for what is missing."""

from collections import Counter

from ucoder.core.domain_coverage import LEAST, MOST, assign_cells

CELLS = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_nothing_known_is_spread_evenly_in_every_prefix() -> None:
    found = list(assign_cells(CELLS, 10, {}))
    assert found[:8] == CELLS * 2
    assert len(found) == 10


def test_a_cell_that_lacks_pairs_is_asked_for_more_often_within_bounds() -> None:
    had = {CELLS[0]: (10, 10), CELLS[1]: (10, 8), CELLS[2]: (10, 4), CELLS[3]: (10, 0)}
    counts = Counter(assign_cells(CELLS, 400, had))
    assert counts[CELLS[0]] < counts[CELLS[2]] < counts[CELLS[3]]
    assert counts.total() == 400
    assert max(counts.values()) / min(counts.values()) <= MOST / LEAST + 0.1


def test_equal_results_stay_even() -> None:
    assert set(Counter(assign_cells(CELLS, 40, dict.fromkeys(CELLS, (10, 5)))).values()) == {10}
