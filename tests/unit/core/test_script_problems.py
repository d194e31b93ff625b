"""Problems for programs that read stdin: what is read, what is refused, and their tests."""

import pytest

from ucoder.core.problem_parsing import UnusableProblem
from ucoder.core.script_problems import read_script, read_script_tests
from ucoder.core.test_plans import Test

GOOD = """# Sum of Two

Add the two numbers that stand on one line, however large they are.

Input: one line with two integers.
Output: print their sum.

Example input:
1 2

Example output:
3
"""


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```text\n{GOOD}```",
        GOOD.replace("Example input:", "**Sample Input 1**").replace("Example output:", "**Sample Output 1**"),
        GOOD.replace("1 2\n", "```\n1 2\n```\n"),
    ],
)
def test_a_statement_is_found_with_its_example(text: str) -> None:
    statement = read_script(text)
    assert (statement.title, statement.entry_point, statement.parameters) == ("Sum of Two", "", ())
    tests, _ = read_script_tests(statement.prompt, [], 9)
    assert tests == [Test(stdin="1 2\n", expected_stdout="3\n")]


def test_the_example_is_no_part_of_what_is_asked() -> None:
    assert read_script(GOOD).fingerprint == read_script(GOOD.replace("1 2", "2 2").replace("\n3", "\n4")).fingerprint
    assert read_script(GOOD).fingerprint != read_script(GOOD.replace("Add", "Multiply")).fingerprint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no_example"),
        (GOOD.split("Example")[0], "no_example"),
        (GOOD.replace("Example output:\n3\n", ""), "no_example"),
        (GOOD.replace("Output: print their sum.", ""), "no_format"),
        ("Input, output.\n\nExample input:\n1\n\nExample output:\n1\n", "no_statement"),
        ("x" * 9000, "too_long"),
    ],
)
def test_what_cannot_be_posed_is_refused_for_a_named_reason(text: str, reason: str) -> None:
    with pytest.raises(UnusableProblem) as caught:
        read_script(text)
    assert caught.value.reason == reason


def test_tests_are_counted_and_the_statement_s_own_come_first() -> None:
    written = "5 5\n\nOutput:\n10\n\nInput:\n0 0\n\nOutput:\n0\n"
    tests, dropped = read_script_tests(
        GOOD, [written, "0 0\nOutput:\n0", "no tests here", "9\nOutput:\n" + "9" * 30_000], 3
    )
    assert [(one.stdin, one.expected_stdout, one.count) for one in tests] == [
        ("1 2\n", "3\n", 1),
        ("0 0\n", "0\n", 2),
        ("5 5\n", "10\n", 1),
    ]
    assert dropped == {"no_pair": 1, "too_long": 1}
    assert read_script_tests(GOOD, [written], 2)[1] == {"over_limit": 1}
