"""How far long work is, on standard error: a bar on a terminal, a line now and then in a log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_SECONDS = 10.0
"""Between lines in a log."""


class ProgressBar:
    """Counts steps of work: `with Bar("executing", 8200, "programs") as bar: bar.advance()`."""

    def __init__(
        self, work: str, total: int, what: str, console: Console | None = None, pause: float = PLAIN_SECONDS
    ) -> None:
        self._console = console or Console(stderr=True)
        self._work, self._total, self._what, self._pause = work, total, what, pause
        self._done, self._begun = 0, time.monotonic()
        self._last = self._begun
        self._progress = Progress(
            SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), console=self._console, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task(f"{work} {what}", total=total)

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, steps: int = 1) -> None:
        """So many more are done."""
        self._done += steps
        self._progress.advance(self._task, steps)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last >= self._pause:
            self._last = now
            left = (now - self._begun) / self._done * (self._total - self._done)
            words = f"{self._work}: {self._done} of {self._total} {self._what}, about {left:.0f} s left"
            self._console.print(words, highlight=False, soft_wrap=True)
