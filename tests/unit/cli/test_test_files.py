"""A user's test file, split into tests that each stand alone."""

from pathlib import Path

import pytest

from ucoder.cli.shared.test_files import read_tests
from ucoder.errors import Misconfigured

FILE = '''"""Our tests."""
import math
import unittest
import pytest
import solution as s
from solution import area as surface

SIDE = 3

def square(x):
    return x * x

assert s.area(1, 2) == 2
assert surface(SIDE, SIDE) == square(SIDE)

def test_simple():
    """Two facts."""
    assert surface(2, 2) == 4
    assert surface(0, 9) == 0

def test_longer():
    result = surface(1.5, 2)
    assert math.isclose(result, 3.0)

@pytest.mark.parametrize("a, b, c", [(1, 1, 1), (2, 3, 6)])
def test_cases(a, b, c):
    assert surface(a, b) == c

@pytest.mark.parametrize("a", [4, 5])
def test_one(a):
    assert surface(a, 1) == a

def test_refusal():
    with pytest.raises(ValueError):
        surface(-1, 1)

class TestArea(unittest.TestCase):
    def setUp(self):
        self.two = 2

    def test_a(self):
        self.assertEqual(surface(self.two, 1), 2)

    def test_b(self):
        self.assertEqual(s.area(1, 1), 1)

if __name__ == "__main__":
    unittest.main()
'''


def read(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "tests.py").write_text(text)
    return read_tests(tmp_path / "tests.py")


def test_every_kind_of_test_becomes_one_that_stands_alone(tmp_path: Path) -> None:
    tests = read(tmp_path, FILE)
    assert len(tests) == 12
    assert tests[0] == "assert area(1, 2) == 2"
    assert tests[2:4] == ["assert area(2, 2) == 4", "assert area(0, 9) == 0"]
    assert not any("solution" in test or "pytest" in test for test in tests)
    assert sum(test.startswith("assert") for test in tests) == 3


def test_right_and_wrong_programs_are_told_apart_by_them(tmp_path: Path) -> None:
    """Each text is run as Python beside a program, which is what a judge does from afar."""
    right = "def area(a, b):\n    if a < 0: raise ValueError\n    return a * b\n"
    for program, failing in ((right, 0), (right.replace("a * b", "a + b"), 10), (right.replace("< 0", "< -9"), 1)):
        failed = 0
        for test in read(tmp_path, FILE):
            namespace: dict[str, object] = {}
            exec(program, namespace)
            try:
                exec(test, namespace)
                case = namespace.get("TestArea")
                if isinstance(case, type):
                    import unittest

                    result = unittest.TestResult()
                    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
                    failed += not result.wasSuccessful()
            except AssertionError:
                failed += 1
        assert failed == failing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "no assert, no function test_"),
        ("def test_x(tmp_path):\n    assert f(tmp_path)\n", "tests.py:1: test_x takes fixtures"),
        ("import pytest\n@pytest.mark.skip\ndef test_x():\n    assert f()\n", "tests.py:2: @pytest.mark.skip is not"),
        ("import pytest\nassert f(1) == pytest.approx(2)\n", "pytest.approx is not supported"),
        ("def (", "tests.py: invalid syntax"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words.replace("(", r"\(")):
        read(tmp_path, text)
