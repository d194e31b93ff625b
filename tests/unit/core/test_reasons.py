"""The reasons why programs fail, from their outcomes."""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.selection.reasons import explanation, reason_of, without_fence

EXCEPTION, PASSED, FAILED, SLOW = Outcome.EXCEPTION, Outcome.PASSED, Outcome.FAILED, Outcome.TIMEOUT_CPU


@pytest.mark.parametrize(
    ("program", "outcomes", "output", "cause", "words"),
    [
       
        (
            "def g(x): pass", [EXCEPTION], "!NameError: name 'f' is not defined",
            "no_function", "defines no function f; it defines g",
        ),
       
        (
            "x = y", [EXCEPTION], "!NameError: name 'y' is not defined",
            "raises", "raises NameError: name 'y' is not defined on every test",
        ),
       
        (
            "import numpy", [EXCEPTION], "!ModuleNotFoundError: No module named 'numpy'",
            "needs_package", "needs the package numpy, which the sandbox does not have",
        ),
       
        (
            "def f(:", [EXCEPTION], "!SyntaxError: invalid syntax (<program>, line 1)",
            "syntax_error", "has a syntax error at line 1: invalid syntax",
        ),
       
        (
            "Sure ```", [EXCEPTION], "!SyntaxError: invalid syntax (<program>, line 1)",
            "markdown", "holds Markdown (```) around or inside its code",
        ),
        ("def f(x): ...", [SLOW, SLOW, PASSED], "", "times_out", "reaches the time limit on 2 of 3 tests"),
        ("def f(x): ...", [FAILED, PASSED], "1", "wrong", "returns another value than expected on 1 of 2 tests"),
        ("def f(x): ...", [Outcome.OUT_OF_MEMORY], "", "limit", "reaches the memory limit on every test"),
    ],
)  # fmt: skip
def test_the_commonest_failure_is_named(
    program: str, outcomes: list[Outcome], output: str, cause: str, words: str
) -> None:
    reason = reason_of(program, outcomes, [output] * len(outcomes), "f")
    assert reason is not None
    assert (reason.cause, reason.words) == (cause, words)


def test_a_program_that_mostly_works_needs_no_reason() -> None:
    assert reason_of("", [PASSED, PASSED, EXCEPTION], ["1", "1", "!E"], "f") is None
    assert reason_of("", [Outcome.RETURNED], [], "f") is None
    assert reason_of("", [], [], "f") is None


def test_a_question_without_a_winner_is_explained_by_its_commonest_cause() -> None:
    slow = reason_of("", [SLOW], [None], "f")
    broken = reason_of("def f(:", [EXCEPTION], ["!SyntaxError: bad (<program>, line 1)"], "f")
    assert explanation([slow, broken, slow]) == (
        "None of the 3 programs can be selected. The commonest cause, 2 of 3: it reaches the time limit on every test."
    )
    assert "nothing that can be seen" in explanation([None])


def test_code_in_a_fence_is_taken_out() -> None:
    assert without_fence("Here:\n```python\ndef f(x):\n    return x\n```\n").strip() == "def f(x):\n    return x"
    assert without_fence("x = '```'") == "x = '```'"
    assert without_fence("no code ```") == "no code ```"
