"""What is proved to go in circles, and what is not although it does."""

import signal
from types import FrameType

import pytest

from ucoder.sandbox_runner.guest.infinite_loops import LoopWatch, readable_lines, state


class Circle(BaseException):
    pass


def goes_in_circles(program: str) -> bool:
    """Runs `f(3)` and looks at it now and then, until it is proved to be endless, ends, or has been looked at often."""
    namespace: dict[str, object] = {}
    exec(compile(program, "<program>", "exec"), namespace)
    looks = 0

    def tick(_: int, frame: FrameType | None) -> None:
        nonlocal looks
        looks += 1
        if looks > 20:
            raise TimeoutError
        LoopWatch(frame, program, Circle)

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.03)
    try:
        namespace["f"](3)  # type: ignore[operator]
    except Circle:
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
    assert goes_in_circles(f"def f(x):\n{lines}\n")


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
def test_what_ends_is_let_go_on(body: str) -> None:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    assert not goes_in_circles(f"def f(x):\n{lines}\n")


@pytest.mark.parametrize(
    "program",
    [
        "import random\ndef f(x):\n    while x:\n        x = random.choice([0, 1])",
        "from datetime import datetime\ndef f(x):\n    while x:\n        pass",
        "def f(x):\n    while x is not y:\n        pass",
        "def f(x):\n    while id(x):\n        pass",
    ],
)
def test_nothing_is_read_where_the_variables_do_not_say_everything(program: str) -> None:
    assert not readable_lines(program)


def test_lines_under_a_loop_with_an_iterator_or_a_handler_are_not_read() -> None:
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
def test_a_line_that_comes_more_than_once_for_a_statement_is_not_read(statement: str, lines: set[int]) -> None:
    assert readable_lines(f"def f(x):\n    {statement}\n")["f", 1] == lines


def test_states_differ_by_what_is_the_same_object_and_by_order() -> None:
    one: list[int] = []
    assert state({"a": one, "b": one}) != state({"a": [], "b": []})
    assert state({"a": {1: 2, 3: 4}}) != state({"a": {3: 4, 1: 2}})
    assert state({"a": 0.0}) != state({"a": -0.0})
    for hidden in (iter([]), {1}, float("nan"), object(), len, list(range(1000))):
        assert state({"a": hidden}) == b""
