"""The features of a task text that a program uses, counted by hand."""

import ast
from math import log

import pytest

from ucoder.core.extraction import normal_tree, parse
from ucoder.core.task_features import condition_gap, docstrings_of, text_of_task, word_coverage


def nodes_of(program: str) -> list[ast.AST]:
    tree = parse(program)
    assert tree is not None
    return normal_tree(tree, program)[1]


@pytest.mark.parametrize(
    ("text", "program", "found"),
    [
        ("Return x.", "def f(x):\n    return x", log(1 / 1)),
        ("Return x if it is even, otherwise None.", "def f(x):\n    return x", log(4 / 1)),
        ("Return x if it is even, otherwise None.", "def f(x):\n    if x % 2 == 0:\n        return x", log(4 / 2)),
        ("Return x.", "def f(x):\n    return [y for y in x if y and y > 1 or y < 0]", log(1 / 4)),
        ("Return x.", "def f(x):\n    try:\n        while x: x()\n    except E: pass", log(1 / 3)),
        ("Return x.\n\n>>> f(1) if 1 else not 2\nelse\n\nOnly x.", "def f(x):\n    return x", log(2 / 1)),
    ],
)
def test_condition_gap(text: str, program: str, found: float) -> None:
    assert condition_gap(text, nodes_of(program)) == pytest.approx(found)


@pytest.mark.parametrize(
    ("text", "program", "found"),
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
def test_word_coverage(text: str, program: str, found: float) -> None:
    assert word_coverage(text, nodes_of(program)) == pytest.approx(found)


def test_text_of_a_task_is_its_docstrings_or_itself() -> None:
    skeleton = 'def g(x):\n    """One."""\n    return x\n\ndef f(x):\n    """Two."""\n'
    tree = parse(skeleton)
    assert tree is not None
    assert docstrings_of(tree) == text_of_task(skeleton) == "One.\n\nTwo."
    assert text_of_task("def f(x):") == "def f(x):"
    assert text_of_task("Write a function that doubles.") == "Write a function that doubles."
