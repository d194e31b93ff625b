"""How far long work is, on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from ucoder.cli.shared import progress_bar


def test_a_terminal_sees_a_bar() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with progress_bar.ProgressBar("executing", 3, "programs", console) as shown:
        shown.advance(2)
    assert isinstance(console.file, io.StringIO)
    assert "executing programs" in console.file.getvalue()
    assert "2/3" in console.file.getvalue()


@pytest.mark.parametrize(("pause", "lines"), [(3600.0, []), (0.0, ["executing: 2 of 4 programs, about"])])
def test_a_log_gets_a_line_now_and_then(pause: float, lines: list[str]) -> None:
    console = Console(file=io.StringIO(), width=120)
    with progress_bar.ProgressBar("executing", 4, "programs", console, pause) as shown:
        shown.advance(2)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue().splitlines()
    assert [line[:33] for line in said] == [line[:33] for line in lines]
