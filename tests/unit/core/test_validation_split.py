"""A problem is on one side, for good."""

import pytest

from ucoder.core.validation_split import TRAIN, VALIDATION, split_of

PROBLEMS = [f'def f{n}(x: int) -> int:\n    """Adds {n} to x."""\n' for n in range(4000)]


def test_the_share_is_kept_and_a_larger_one_only_adds() -> None:
    sides = {share: {p for p in PROBLEMS if split_of(p, share) == VALIDATION} for share in (0.0, 0.05, 0.2, 0.5)}
    assert [len(sides[share]) / len(PROBLEMS) for share in sides] == pytest.approx([0, 0.05, 0.2, 0.5], abs=0.02)
    assert sides[0.05] < sides[0.2] < sides[0.5]


def test_layout_case_and_punctuation_do_not_move_a_problem() -> None:
    for problem in PROBLEMS[:200]:
        told = problem.upper().replace("    ", "\t").replace('."""', '!"""')
        assert split_of(told, 0.5) == split_of(problem, 0.5)


def test_any_text_has_a_side() -> None:
    assert {split_of(text, 0.5) for text in ("", "\ud800", "\0", "σ" * 100_000)} <= {TRAIN, VALIDATION}
