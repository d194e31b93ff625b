"""Tests of the proof that a program never ends, and of programs that it must leave alone."""

import signal
from types import FrameType

import pytest

from ucoder.sandbox_runner.guest.infinite_loops import LoopWatch, readable_lines, state


class Endless(BaseException):
    """The proof, as a check raises it."""


def is_proved_endless(program: str) -> bool:
    """Runs `f(3)` and checks it now and then, until it is proved to be endless, ends, or has been checked often."""
    namespace: dict[str, object] = {}
    exec(compile(program, "<program>", "exec"), namespace)
    checks = 0

    def tick(_: int, frame: FrameType | None) -> None:
        nonlocal checks
        checks += 1
        if checks > 20:
            raise TimeoutError
        LoopWatch(frame, program, Endless)

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.03)
    try:
        namespace["f"](3)  # type: ignore[operator]
    except Endless:
        return True
    except TimeoutError:
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return False


@pytest.mark.parametrize(
    "body",
    [
        "while x:\n    pass",
        "while True:\n    x = -x",
        "y = {'a': [1, 2]}\nwhile x:\n    y['a'][0], y['a'][1] = y['a'][1], y['a'][0]",
        "low = 0\nwhile low < x:\n    for i in range(3):\n        x = 4 - x\n    low = 0",
        "while x:\n    while x > 1:\n        x -= 1\n    x = 3",
    ],
)
def test_a_state_that_returns_is_a_proof(body: str) -> None:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    assert is_proved_endless(f"def f(x):\n{lines}\n")


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(10**6):\n    pass",  # ends
        "for i in [0] * 10**6:\n    pass",  # ends, and i is what it was
        "for i in 'a' * 10**6:\n    if i == 'b':\n        return True",
        "[i for i in [0] * 10**6]",
        "n = 10**6\nwhile n:\n    n -= 1\nreturn int(\n    x\n)",  # comes back to the line of the call
        "n = 10**6\nwhile n:\n    n -= 1",  # ends
        "a, b = [0], 0\nc = a\nwhile a[0] < 10**6:\n    c[0] += 1\n    b = 0",  # ends, and b is what it was
    ],
)
def test_a_program_that_ends_is_left_alone(body: str) -> None:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    assert not is_proved_endless(f"def f(x):\n{lines}\n")


@pytest.mark.parametrize(
    "program",
    [
        "import random\ndef f(x):\n    while x:\n        x = random.choice([0, 1])",
        "from datetime import datetime\ndef f(x):\n    while x:\n        pass",
        "def f(x):\n    while x is not y:\n        pass",
        "def f(x):\n    while id(x):\n        pass",
    ],
)
def test_a_program_whose_variables_are_not_its_whole_state_is_not_checked(program: str) -> None:
    assert not readable_lines(program)


def test_lines_inside_a_for_or_a_handler_are_not_checked() -> None:
    inner = "for i in x:\n            x\n        try:\n            x\n        except E:\n            x\n"
    program = f"def f(x):\n    while x:\n        {inner}"
    assert readable_lines(program) == {("f", 1): {2}}
    assert readable_lines("def f(x):\n    while x:\n        yield x") == {}


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("x = any(y for y in x)", {2}),
        ("x = [y for y in x]", set()),
        ("for y in x: pass", set()),
        ("while x: y = [z for z in x]", set()),
        ("while x: pass", {2}),
        ("while (x and\n        x):\n        pass", {4}),
        ("x(\n        x)", set()),
        ("if [y for y in x]:\n        x", {3}),
        ("def g(): pass", set()),
    ],
)
def test_a_line_visited_more_than_once_for_a_statement_is_not_checked(statement: str, lines: set[int]) -> None:
    assert readable_lines(f"def f(x):\n    {statement}\n")["f", 1] == lines


def test_states_differ_by_the_identity_and_the_order_of_objects() -> None:
    one: list[int] = []
    assert state({"a": one, "b": one}) != state({"a": [], "b": []})
    assert state({"a": {1: 2, 3: 4}}) != state({"a": {3: 4, 1: 2}})
    assert state({"a": 0.0}) != state({"a": -0.0})
    for hidden in (iter([]), {1}, float("nan"), object(), len, list(range(1000))):
        assert state({"a": hidden}) == b""
