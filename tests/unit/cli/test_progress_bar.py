"""The progress bar on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from ucoder.cli.shared.progress_bar import progress_bar


def test_a_terminal_sees_a_bar() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with progress_bar("executing", 3, "programs", console) as advance:
        advance(2)
    assert isinstance(console.file, io.StringIO)
    assert "executing programs" in console.file.getvalue()
    assert "2/3" in console.file.getvalue()


@pytest.mark.parametrize(("log_seconds", "lines"), [(3600.0, []), (0.0, ["executing: 2 of 4 programs, about"])])
def test_a_log_gets_a_line_every_few_seconds(log_seconds: float, lines: list[str]) -> None:
    console = Console(file=io.StringIO(), width=120)
    with progress_bar("executing", 4, "programs", console, log_seconds) as advance:
        advance(2)
    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue().splitlines()
    assert [line[:33] for line in written] == [line[:33] for line in lines]
