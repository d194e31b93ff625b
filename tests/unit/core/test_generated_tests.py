"""Tests as models write them."""

from ucoder.core.generated_tests import read_tests


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
