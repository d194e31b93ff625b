"""Shows the progress of a run: a table that is drawn again and again on a terminal, lines in a log."""

import time

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from ucoder.runs.brief_history import BRIEF_STAGES
from ucoder.runs.checkpoint_scores import checkpoint_label
from ucoder.runtime.messaging.ledger import limit_of_reason
from ucoder.v1 import config_pb2, runs_pb2, trainer_pb2

LOG_SECONDS = 5.0
"""Seconds between two lines in a log."""
NAMES = {"brief": "briefs", "problem": "problems", "tests": "tests", "candidates": "candidates", "matrix": "executed"}


def training_line(progress: trainer_pb2.TrainingProgress) -> str:
    """Returns the progress of a training in one line."""
    parts = [f"training {progress.dataset}:"]
    if progress.step:
        validation = f" (validation {progress.validation_loss:.3f})" if progress.HasField("validation_loss") else ""
        speed = f"{progress.tokens_per_second:.0f} tokens/s, {progress.memory_mb:.0f} MB"
        parts.append(f"step {progress.step}/{progress.steps}, loss {progress.loss:.3f}{validation},")
        parts.append(f"{speed}, {progress.seconds_left:.0f} s left")
    return " ".join([*parts, progress.waiting]).strip()


class RunProgress:
    """Shows each status of a run that it is given."""

    def __init__(self, console: Console, config: config_pb2.RunConfig) -> None:
        self._console, self._config = console, config
        self.live = Live(console=console, transient=False) if console.is_terminal else None
        """Draws the table again and again while its block runs; None in a log."""
        self._started = time.monotonic()
        self._iteration_started = self._started
        self._iteration = 0
        self._last_line = 0.0
        self._shown_evaluations: set[str] = set()

    def show(self, status: runs_pb2.RunStatus) -> None:
        """Shows a status. In a log it skips those that come too soon after the last line."""
        if status.iteration != self._iteration:
            self._iteration, self._iteration_started = status.iteration, time.monotonic()
        self._show_evaluations(status)
        if self.live:
            self.live.update(self._table(status))
        elif time.monotonic() - self._last_line >= LOG_SECONDS or status.state != runs_pb2.RUN_STATE_RUNNING:
            self._last_line = time.monotonic()
            self._console.print(f"{self._clock()} {self.line(status)}", highlight=False, soft_wrap=True)

    def line(self, status: runs_pb2.RunStatus) -> str:
        """Returns the status in one line."""
        if not status.iteration:
            return "measuring the base model"
        counts = " ".join(f"{NAMES.get(kind, 'ended')} {status.made[kind]}" for kind in BRIEF_STAGES)
        dropped = sum(status.dropped.values())
        ends = f"selected {status.selected} abstained {status.abstained} dropped {dropped}"
        limits = {limit for key in status.dropped if (limit := limit_of_reason(key.partition(".")[2]))}
        over = f" | ended by its limit of {limits.pop()}" if limits else ""
        iteration = f"iteration {status.iteration}/{self._config.loop.iterations}"
        return f"{iteration}: {counts} | {ends}{over}{self._eta(status)}"

    def _show_evaluations(self, status: runs_pb2.RunStatus) -> None:
        """Prints each evaluation once, as a line that stays."""
        for evaluation in status.evaluations:
            name = checkpoint_label(evaluation.served.checkpoint)
            if name in self._shown_evaluations:
                continue
            self._shown_evaluations.add(name)
            scores = {(score.tasks, score.metric): score for score in evaluation.scores}
            main = scores["benchmark", "pass_at_1"]
            beside = [metric for metric in ("greedy", "cool", "majority") if ("benchmark", metric) in scores]
            others = ", ".join(f"{metric} {scores['benchmark', metric].value:.1%}" for metric in beside)
            line = f"{name}: pass@1 {main.value:.1%} [{main.low:.1%}, {main.high:.1%}] ({others})"
            self._console.print(f"{self._clock()} {line}", highlight=False, soft_wrap=True)

    def _table(self, status: runs_pb2.RunStatus) -> Table:
        table = Table(title=f"{self._clock()} {self.line(status)}", title_justify="left", box=None, expand=False)
        for column in ("stage", "", "done", "per s"):
            table.add_column(column, justify="left" if column in ("stage", "") else "right")
        elapsed = max(0.1, time.monotonic() - self._iteration_started)
        for kind in BRIEF_STAGES:
            made, total = status.made[kind], max(1, self._config.loop.briefs)
            bar = ProgressBar(total=total, completed=made, width=30)
            table.add_row(NAMES.get(kind, "ended"), bar, f"{made}/{total}", f"{made / elapsed:.1f}")
        return table

    def _eta(self, status: runs_pb2.RunStatus) -> str:
        """Returns how far the training is, or the time that is left before it."""
        ended, total = status.made["consensus"], self._config.loop.briefs
        if not ended:
            return ""
        if status.trainings:
            return "".join(f" | {training_line(one)}" for one in status.trainings)
        if ended >= total:
            return " | training and evaluating"
        left = (time.monotonic() - self._iteration_started) / ended * (total - ended)
        return f" | about {left:.0f} s to training"

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._started)
        return f"[{seconds // 60:02d}:{seconds % 60:02d}]"
