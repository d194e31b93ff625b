"""Shows the progress of long work on standard error: a bar on a terminal, a line every few seconds in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_SECONDS = 10.0
"""Seconds between two lines in a log."""


class ProgressBar:
    """The progress bar of some work: `with ProgressBar("executing", 8200, "programs") as bar: bar.advance()`."""

    def __init__(
        self, work: str, total: int, unit: str, console: Console | None = None, log_seconds: float = LOG_SECONDS
    ) -> None:
        self._console = console or Console(stderr=True)
        self._work, self._total, self._unit, self._log_seconds = work, total, unit, log_seconds
        self._done, self._started = 0, time.monotonic()
        self._last_line = self._started
        self._progress = Progress(
            SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), console=self._console, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task(f"{work} {unit}", total=total)

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, steps: int = 1) -> None:
        """Adds steps to those that are done."""
        self._done += steps
        self._progress.advance(self._task, steps)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line >= self._log_seconds:
            self._last_line = now
            left = (now - self._started) / self._done * (self._total - self._done)
            line = f"{self._work}: {self._done} of {self._total} {self._unit}, about {left:.0f} s left"
            self._console.print(line, highlight=False, soft_wrap=True)
