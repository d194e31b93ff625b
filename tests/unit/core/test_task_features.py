"""What a text asks for and a program takes up, counted by hand."""

import ast
from math import log

import pytest

from ucoder.core.extraction import normal_tree, parse
from ucoder.core.task_features import echo, idle, open_cases, said_by, said_in


def nodes_of(program: str) -> list[ast.AST]:
    tree = parse(program)
    assert tree is not None
    return normal_tree(tree, program)[1]


@pytest.mark.parametrize(
    ("said", "program", "found"),
    [
        ("Return x.", "def f(x):\n    return x", log(1 / 1)),
        ("Return x if it is even, otherwise None.", "def f(x):\n    return x", log(4 / 1)),
        ("Return x if it is even, otherwise None.", "def f(x):\n    if x % 2 == 0:\n        return x", log(4 / 2)),
        ("Return x.", "def f(x):\n    return [y for y in x if y and y > 1 or y < 0]", log(1 / 4)),
        ("Return x.", "def f(x):\n    try:\n        while x: x()\n    except E: pass", log(1 / 3)),
        ("Return x.\n\n>>> f(1) if 1 else not 2\nelse\n\nOnly x.", "def f(x):\n    return x", log(2 / 1)),
    ],
)
def test_open_cases(said: str, program: str, found: float) -> None:
    assert open_cases(said, nodes_of(program)) == pytest.approx(found)


@pytest.mark.parametrize(
    ("said", "program", "found"),
    [
        ("count the vowels", "def f(word):\n    return 0", 0),
        ("count the vowels", "def count_vowels(word):\n    return 0", 2 / 3),
        ("count the vowels", "def f(word):\n    return word.count('vowels')", 2 / 3),
        ("count the vowels", "def f(word):\n    # count the vowels\n    return 0", 0),
        ("count the vowels", 'def f(word):\n    """count the vowels"""\n    return 0', 0),
        ("return if not in", "def f(word):\n    return 0", 0),
        ("", "x = 1", 0),
    ],
)
def test_echo(said: str, program: str, found: float) -> None:
    assert echo(said, nodes_of(program)) == pytest.approx(found)


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("def f(x):\n    pass", True),
        ('def f(x):\n    """Later."""', True),
        ("def f(x):\n    ...\n    # return x", True),
        ("import math\ndef g(x):\n    return x\ndef f(x):\n    import os", True),
        ("class F:\n    def f(self):\n        pass", True),
        ("import sys", True),
        ("def f(x):\n    return None", False),
        ("def f(x):\n    x.sort()", False),
        ("print(input())", False),
    ],
)
def test_idle(program: str, found: bool) -> None:
    assert idle(nodes_of(program)[0]) is found


def test_what_is_said() -> None:
    skeleton = 'def g(x):\n    """One."""\n    return x\n\ndef f(x):\n    """Two."""\n'
    tree = parse(skeleton)
    assert tree is not None
    assert said_in(tree) == said_by(skeleton) == "One.\n\nTwo."
    assert said_by("def f(x):") == "def f(x):"
    assert said_by("Write a function that doubles.") == "Write a function that doubles."
