"""Tests of the search for tests that call nothing of the program."""

import pytest

from ucoder.core.idle_tests import calls_nothing, idle_test
from ucoder.core.test_plans import Test

IDLE = (
    "1 + 1",
    "# only words",
    '{"inputs": ["1 2"], "outputs": ["3"]}',
    "x = 3\nassert x == 3",
    "import math\nassert math.sqrt(4) == 2",
    "def helper():\n    assert f(1) == 2",
    "def check(candidate):\n    assert candidate(1) == 2",
)
BUSY = (
    "assert f(1) == 2",
    "def test_one():\n    assert f(1) == 2",
    "class TestOne:\n    def test_it(self): assert f(1) == 2",
    "import unittest\nclass One(unittest.TestCase):\n    def test_it(self): self.assertEqual(f(1), 2)",
    "def check(candidate):\n    assert candidate(1) == 2\ncheck(f)",
    "def helper():\n    assert f(1) == 2\nhelper()",
    "from solution import f\ndef test_one():\n    assert f(1) == 2",
    "assert LIMIT == 10",
    "this is no Python",
)


@pytest.mark.parametrize("code", IDLE)
def test_a_test_that_calls_nothing_is_found(code: str) -> None:
    assert calls_nothing(code)


@pytest.mark.parametrize("code", BUSY)
def test_a_test_that_names_the_program_is_none(code: str) -> None:
    assert not calls_nothing(code)


def test_the_first_idle_test_is_named() -> None:
    found = idle_test([Test("assert f(1) == 2"), Test(stdin="1", expected_stdout="2"), Test("\nassert 1 == 1")])
    assert found == "test 3 calls nothing of the program, so every program would pass it: assert 1 == 1"
    assert idle_test([Test("assert f(1) == 2")]) == ""
