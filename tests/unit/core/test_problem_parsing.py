"""Problems as models write them: what is kept, what is refused, and what counts as the same."""

import pytest

from ucoder.core.problem_parsing import UnusableProblem, read_skeleton, read_statement

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
        ('def f(x: int) -> int:\n    """\n    """\n    return x\n', "no_docstring"),
        ('def f() -> int:\n    """Ask nothing."""\n', "no_parameters"),
        ('def f(x) -> int:\n    """Take anything."""\n', "untyped"),
        ('def f(x: int):\n    """Answer anything."""\n', "untyped"),
        (GOOD + "#" * 9000, "too_long"),
        ('def f(x: int) -> int:\n    """Never ends\n', "no_function"),
    ],
)
def test_what_cannot_be_posed_is_refused_for_a_named_reason(text: str, reason: str) -> None:
    with pytest.raises(UnusableProblem) as caught:
        read_statement(text)
    assert caught.value.reason == reason


def test_names_examples_and_case_do_not_make_a_problem_new() -> None:
    other = GOOD.replace("total", "add_all").replace("[1, 2])\n    3", "[4])\n    4").replace("Add", "add")
    assert read_statement(other).fingerprint == read_statement(GOOD).fingerprint


def test_other_words_or_types_make_a_problem_new() -> None:
    assert read_statement(GOOD.replace("Add", "Multiply")).fingerprint != read_statement(GOOD).fingerprint
    assert read_statement(GOOD.replace("list[int]", "list[str]")).fingerprint != read_statement(GOOD).fingerprint


def test_a_skeleton_is_comments_that_parse() -> None:
    assert read_skeleton(GOOD, "    # add\n    # return\n    pass\n") == "    # add\n    # return"
    assert read_skeleton(GOOD, "nothing of the kind") == ""


def test_an_object_is_read_as_well_as_a_function() -> None:
    text = """Here it is:
```json
{"title": "Sum", "signature": "total(xs: List[int]) -> int", "description": "Add the numbers.\\nNone give 0.",
 "example": {"input": "[1, 2]", "output": "3"}, "hint": "Use sum."}
```"""
    statement = read_statement(text)
    assert statement.prompt == (
        "from typing import List\n\n\ndef total(xs: List[int]) -> int:\n"
        '    """Add the numbers.\n    None give 0.\n\n    >>> total([1, 2])\n    3\n    """\n'
    )
    assert statement.example
    assert (statement.title, statement.hint, statement.example.test) == ("Sum", "Use sum.", "assert total([1, 2]) == 3")


def test_a_hint_in_the_docstring_is_taken_out_of_what_is_asked() -> None:
    hinted = read_statement(GOOD.replace("numbers.\n", "numbers.\n\n    Hint: use sum.\n"))
    assert hinted.hint == "use sum."
    assert hinted.fingerprint == read_statement(GOOD).fingerprint


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        (GOOD.replace("list[int]", "np.ndarray"), "unknown_type", "np"),
        (GOOD.replace("total([1, 2])", "total()"), "example_misfit", "total()"),
        (GOOD.replace("total([1, 2])", "total([1], 2)"), "example_misfit", "total([1], 2)"),
    ],
)
def test_types_and_examples_are_checked_strictly(text: str, reason: str, detail: str) -> None:
    with pytest.raises(UnusableProblem) as caught:
        read_statement(text)
    assert (caught.value.reason, caught.value.detail) == (reason, detail)


def test_names_that_the_text_brings_itself_are_known() -> None:
    text = GOOD.replace("list[int]", "Sequence[Optional[int]]").replace("def ", "from typing import Sequence\n\n\ndef ")
    assert read_statement(text).prompt.startswith("from typing import Optional\n\n\nfrom typing import Sequence\n")
