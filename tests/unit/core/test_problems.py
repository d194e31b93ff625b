"""Problems as models write them: what is kept, what is refused, and what counts as the same."""

import pytest

from ucoder.core.problems import Unusable, read_rating, read_skeleton, read_statement

GOOD = 'def total(xs: list[int]) -> int:\n    """Add the numbers.\n\n    >>> total([1, 2])\n    3\n    """\n'


@pytest.mark.parametrize(
    "text",
    [GOOD, f"```python\n{GOOD}```", f"Here is one:\n\n{GOOD}", GOOD + "    return sum(xs)\n", "\n\n" + GOOD],
)
def test_the_statement_is_found_whatever_stands_around_it(text: str) -> None:
    statement = read_statement(text)
    assert statement.prompt == GOOD
    assert statement.entry_point == "total"
    assert statement.title == "Add the numbers."
    assert statement.parameters == (("xs", "list[int]"),)


def test_imports_before_the_function_are_kept() -> None:
    assert read_statement("import math\n\n" + GOOD).prompt.startswith("import math\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_function"),
        ("I cannot do that.", "no_function"),
        ("def broken(xs: list[int] -> int:\n", "no_function"),
        ("def f(x: int) -> int:\n    return x\n", "no_docstring"),
        ('def f() -> int:\n    """Ask nothing."""\n', "no_parameters"),
        ('def f(x) -> int:\n    """Take anything."""\n', "untyped"),
        ('def f(x: int):\n    """Answer anything."""\n', "untyped"),
        (GOOD + "#" * 9000, "too_long"),
        ('def f(x: int) -> int:\n    """Never ends\n', "no_function"),
    ],
)
def test_what_cannot_be_posed_is_refused_for_a_named_reason(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        read_statement(text)
    assert caught.value.reason == reason


def test_names_examples_and_case_do_not_make_a_problem_new() -> None:
    other = GOOD.replace("total", "add_all").replace("[1, 2])\n    3", "[4])\n    4").replace("Add", "add")
    assert read_statement(other).fingerprint == read_statement(GOOD).fingerprint


def test_words_and_types_do() -> None:
    assert read_statement(GOOD.replace("Add", "Multiply")).fingerprint != read_statement(GOOD).fingerprint
    assert read_statement(GOOD.replace("list[int]", "list[str]")).fingerprint != read_statement(GOOD).fingerprint


def test_ratings() -> None:
    assert [read_rating(text) for text in ("3", "Difficulty: 4.5/5", "none", "9")] == [3.0, 4.5, None, None]


def test_a_skeleton_is_comments_that_parse() -> None:
    assert read_skeleton(GOOD, "    # add\n    # return\n    pass\n") == "    # add\n    # return"
    assert read_skeleton(GOOD, "nothing of the kind") == ""
