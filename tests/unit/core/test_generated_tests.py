"""Tests as models write them."""

import pytest

from ucoder.core.generated_tests import calls_of, read_tests


def test_asserts_and_calls_are_counted_in_their_normal_layout() -> None:
    text = "assert f(1)==2\nassert f( 1 ) == 2, 'message'\n    f([1,2])\nassert f(3) == 4\n"
    tests, dropped = read_tests([text, "assert f(1) == 2"], "f", 10)
    assert tests == {"assert f(1) == 2": 3, "assert f(3) == 4": 1, "f([1, 2])": 1}
    assert not dropped


def test_the_rest_is_dropped_for_a_reason() -> None:
    text = "assert f(1) ==\nassert f(1) == f(1)\nx = f(2)\nprose about f and more\n" + "assert f('" + "a" * 3000 + "')"
    tests, dropped = read_tests([text], "f", 10)
    assert not tests
    assert dropped == {"syntax": 1, "trivial": 1, "not_a_test": 2, "too_long": 1}


def test_the_most_written_are_kept() -> None:
    tests, dropped = read_tests(["f(1)\nf(2)\nf(2)\nf(3)\nf(3)\nf(3)"], "f", 2)
    assert list(tests) == ["f(3)", "f(2)"]
    assert dropped == {"over_limit": 1}


def test_statements_over_several_lines_and_in_test_functions_are_found() -> None:
    text = "```python\ndef test_f():\n    assert f(\n        [1,\n 2]\n    ) == 3\n\nassert f([]) == 0\n```\n"
    assert read_tests([text], "f", 10)[0] == {"assert f([1, 2]) == 3": 1, "assert f([]) == 0": 1}


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("assert f(1) == 2 or True", "trivial"),
        ("assert isinstance(f(1), object)", "trivial"),
        ("assert len(f(1)) >= 0", "trivial"),
        ("assert f(xs) == 2", "unknown_name"),
        ("assert f(np.zeros(3)) == 2", "unknown_name"),
    ],
)
def test_useless_tests_are_dropped_for_a_named_reason(test: str, reason: str) -> None:
    assert read_tests([test], "f", 10) == ({}, {reason: 1})


def test_names_bound_within_a_test_are_known() -> None:
    tests = ["assert f([x for x in range(3)]) == 1", "assert all(map(lambda n: n > 0, f(2)))"]
    assert set(read_tests(tests, "f", 10)[0]) == set(tests)


def test_calls_are_found_wherever_they_stand() -> None:
    assert calls_of(["f(1)", "assert sorted(f([2, 1])) == f( 1 )"], "f") == ["f(1)", "f([2, 1])"]
