import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ucoder.core.matrix import Matrix
from ucoder.core.selection import select
from ucoder.core.selection.convergence import forecast_winner

from .matrices import matrix_of_letters


def sample(sizes: list[int]) -> Matrix:
    """Builds a matrix of clusters of these sizes, in shuffled order, none of which passes a test."""
    kinds = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return matrix_of_letters(["RR"] * len(kinds), outputs=[[str(k), str(-k)] for k in kinds])


def test_all_seen_is_settled() -> None:
    found = forecast_winner(sample([3, 1]), 4)
    assert (found.settled, found.change_probability) == (True, 0.0)


def test_without_samples_nothing_is_settled() -> None:
    assert forecast_winner(Matrix.build([], None, []), 10).change_probability == 1.0
    assert forecast_winner(matrix_of_letters(["XX", "XT"]), 10).change_probability == 1.0


def test_a_total_below_the_known_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="total cannot be 3"):
        forecast_winner(sample([4]), 3)


def test_a_large_lead_near_the_end_is_settled() -> None:
    assert forecast_winner(sample([120, 2]), 124).settled
    assert not forecast_winner(sample([8, 2]), 124).settled


def test_the_chance_of_change_falls_with_the_lead_and_with_what_is_seen() -> None:
    close, clear = (
        forecast_winner(sample([10, 9, 1]), 100).change_probability,
        forecast_winner(sample([15, 4, 1]), 100).change_probability,
    )
    later = forecast_winner(sample([45, 12, 3]), 100).change_probability
    assert later <= clear < close
    assert close > 0.2


def test_many_singletons_leave_the_answer_open() -> None:
    assert (
        forecast_winner(sample([2] + [1] * 18), 128).change_probability
        > forecast_winner(sample([2, 1]), 4).change_probability
    )


def test_the_stated_error_holds_for_samples_drawn_alike() -> None:
    """Forecasts 120 samples of 60 after 24: of those below 10%, at most 10% have another winner in the end."""
    rng = np.random.default_rng(5)
    law = np.array([0.4, 0.25] + [0.035] * 10)
    changed = stopped = 0
    for _ in range(120):
        kinds = rng.choice(len(law), 60, p=law)
        m = matrix_of_letters(["RR"] * 60, outputs=[[str(k), str(-k)] for k in kinds])
        early = m.take(np.arange(24), np.arange(2))
        if forecast_winner(early, 60, draws=200).change_probability <= 0.1:
            stopped += 1
            winner = select(early).winner
            changed += winner not in select(m).clusters[0].members
    assert stopped > 12
    assert changed <= 0.1 * stopped


@settings(max_examples=60, deadline=None)
@given(
    leader=st.integers(6, 30),
    other=st.integers(0, 3),
    more=st.integers(1, 3),
    newcomer=st.sampled_from(["other", "new", "short", "long", "passing"]),
)
def test_a_settled_winner_never_changes(leader: int, other: int, more: int, newcomer: str) -> None:
    text = {"short": "0", "long": "x = 1\n" * 50}
    rows = ["FF"] * leader + ["FP"] * other
    outputs = [["a", "b"]] * leader + [["c", "1"]] * other
    programs = ["y = 2\nz = 3"] * (leader + other)
    late_outputs = {"other": ["c", "1"], "short": ["a", "b"], "long": ["c", "1"], "passing": ["0", "1"]}
    late = {"other": "FP", "short": "FF", "long": "FP", "passing": "PP"}.get(newcomer, "FF")

    def build(extra: int) -> Matrix:
        return matrix_of_letters(
            rows + [late] * extra,
            outputs=outputs + [late_outputs.get(newcomer, ["n", "n"])] * extra,
            programs=programs + [text.get(newcomer, "y = 2\nz = 3")] * extra,
        )

    if forecast_winner(build(0), leader + other + more).settled:
        assert set(select(build(more)).clusters[0].members) >= set(select(build(0)).clusters[0].members)
