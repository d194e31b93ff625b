"""Tests of the rules by which printed texts are compared."""

import pytest

from ucoder.core.output_comparison import RULES, ignores_exit_status, same_output

PAIRS = {
    # rule: (expected, printed, same)
    "lines": [
        ("1\n2\n", "1 \n2\n\n", True),
        ("1\n2\n", "1 2", False),
        ("1.50 2\n", "1.5 2.0", True),
        ("1.50 2\n", "1.51 2", False),
        ("1 x\n", "1.0 x", False),
        ("a\nb\n", "a\x0cb\n", False),
        ("yes\n", " yes\n", False),
        ("10\n", "1_0\n", False),
    ],
    "livecodebench": [
        ("yes\nno\n", " yes\n   no\n", True),
        ("2\n", "\n\n2\n", True),
        ("1.5 10\n", "1.50 1e1\n", True),
        ("a\nb\n", "a\x0cb\n", False),
        ("1\n2\n", "1\n\n2\n", False),
    ],
    "tokens": [
        ("1 2\n3", "1\n2 3\n", True),
        ("0.5", "0.500001", True),
        ("0.5", "0.51", False),
        ("a b", "a  b", True),
        ("a b", "ab", False),
    ],
    "exact": [("1\n", "1\n", True), ("1\n", "1", False)],
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_compares_as_its_benchmark(rule: str) -> None:
    for expected, printed, same in PAIRS[rule]:
        assert same_output(rule, expected, printed) is same, (expected, printed)


def test_lines_of_numbers_may_differ_within_the_tolerance() -> None:
    assert same_output("lines", "0.3333\n", "0.33331\n", 1e-3)
    assert not same_output("lines", "0.3333\n", "0.35\n", 1e-3)


def test_only_livecodebench_ignores_how_a_script_exits() -> None:
    assert [rule for rule in RULES if ignores_exit_status(rule)] == ["livecodebench"]
