"""Shows the progress of long work on standard error: a bar on a terminal, a line every few seconds in a log."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_SECONDS = 10.0
"""Seconds between two lines in a log."""


@contextlib.contextmanager
def progress_bar(
    work: str, total: int, unit: str, console: Console | None = None, log_seconds: float = LOG_SECONDS
) -> Iterator[Callable[..., None]]:
    """Yields a function that adds steps, by default one, to those that are done.

    Example: `with progress_bar("executing", 8200, "programs") as advance: advance()`
    """
    console = console or Console(stderr=True)
    done, started = 0, time.monotonic()
    last_line = started
    with Progress(
        SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task(f"{work} {unit}", total=total)

        def advance(steps: int = 1) -> None:
            nonlocal done, last_line
            done += steps
            progress.advance(task, steps)
            now = time.monotonic()
            if not console.is_terminal and now - last_line >= log_seconds:
                last_line = now
                left = (now - started) / done * (total - done)
                line = f"{work}: {done} of {total} {unit}, about {left:.0f} s left"
                console.print(line, highlight=False, soft_wrap=True)

        yield advance
