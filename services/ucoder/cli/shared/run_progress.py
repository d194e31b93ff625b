"""Live progress of a run: a table that redraws on a terminal, plain lines elsewhere."""

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from ucoder.runs.brief_history import BRIEF_STAGES
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, runs_pb2, trainer_pb2

PLAIN_SECONDS = 5.0  # between plain lines, which end up in somebody's log
NAMES = {"brief": "briefs", "problem": "problems", "tests": "tests", "candidates": "candidates", "matrix": "executed"}


def training(moment: trainer_pb2.TrainingProgress) -> str:
    """A training under way in a few words."""
    told = [f"training {moment.dataset}:"]
    if moment.step:
        checked = f" (validation {moment.validation_loss:.3f})" if moment.HasField("validation_loss") else ""
        told += [f"step {moment.step}/{moment.steps}, loss {moment.loss:.3f}{checked},"]
        told += [
            f"{moment.tokens_per_second:.0f} tokens/s, {moment.memory_mb:.0f} MB, {moment.seconds_left:.0f} s left"
        ]
    return " ".join([*told, moment.waiting]).strip()


class RunProgress:
    """Shows statuses as they come."""

    def __init__(self, console: Console, config: config_pb2.RunConfig) -> None:
        self._console, self._config = console, config
        self._live = Live(console=console, transient=False) if console.is_terminal else None
        self._begun = time.monotonic()
        self._iteration_begun = self._begun
        self._iteration = 0
        self._last_line = 0.0
        self._told: set[str] = set()

    def __enter__(self) -> "RunProgress":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, status: runs_pb2.RunStatus) -> None:
        """Shows one status."""
        if status.iteration != self._iteration:
            self._iteration, self._iteration_begun = status.iteration, time.monotonic()
        self._tell_evaluations(status)
        if self._live:
            self._live.update(self._table(status))
        elif time.monotonic() - self._last_line >= PLAIN_SECONDS or status.state != runs_pb2.RUN_STATE_RUNNING:
            self._last_line = time.monotonic()
            self._console.print(f"{self._clock()} {self.line(status)}", highlight=False, soft_wrap=True)

    def line(self, status: runs_pb2.RunStatus) -> str:
        """The status in one line."""
        if not status.iteration:
            return "measuring the base model"
        counts = " ".join(f"{NAMES.get(kind, 'ended')} {status.made[kind]}" for kind in BRIEF_STAGES)
        dropped = sum(status.dropped.values())
        ends = f"selected {status.selected} abstained {status.abstained} dropped {dropped}"
        limits = {reason.partition(".over_")[2] for reason in status.dropped} - {""}
        over = f" | ended by its limit of {limits.pop()}" if limits else ""
        return (
            f"iteration {status.iteration}/{self._config.loop.iterations}: {counts} | {ends}{over}{self._eta(status)}"
        )

    def _tell_evaluations(self, status: runs_pb2.RunStatus) -> None:
        """Each evaluation once, as a line that stays."""
        for evaluation in status.evaluations:
            checkpoint = evaluation.served.checkpoint
            control = checkpoint.variant == pb.VARIANT_CONTROL
            name = (
                "base" if checkpoint.iteration == 0 else "control" if control else f"iteration {checkpoint.iteration}"
            )
            if name in self._told:
                continue
            self._told.add(name)
            scores = {(score.tasks, score.metric): score for score in evaluation.scores}
            main = scores["benchmark", "pass_at_1"]
            others = ", ".join(
                f"{metric} {scores['benchmark', metric].value:.1%}"
                for metric in ("greedy", "cool", "majority")
                if ("benchmark", metric) in scores
            )
            words = f"{name}: pass@1 {main.value:.1%} [{main.low:.1%}, {main.high:.1%}] ({others})"
            self._console.print(f"{self._clock()} {words}", highlight=False, soft_wrap=True)

    def _table(self, status: runs_pb2.RunStatus) -> Table:
        table = Table(title=f"{self._clock()} {self.line(status)}", title_justify="left", box=None, expand=False)
        for column in ("stage", "", "done", "per s"):
            table.add_column(column, justify="left" if column in ("stage", "") else "right")
        elapsed = max(0.1, time.monotonic() - self._iteration_begun)
        for kind in BRIEF_STAGES:
            made, total = status.made[kind], max(1, self._config.loop.briefs)
            bar = ProgressBar(total=total, completed=made, width=30)
            table.add_row(NAMES.get(kind, "ended"), bar, f"{made}/{total}", f"{made / elapsed:.1f}")
        return table

    def _eta(self, status: runs_pb2.RunStatus) -> str:
        ended, total = status.made["consensus"], self._config.loop.briefs
        if not ended:
            return ""
        if status.trainings:
            return "".join(f" | {training(one)}" for one in status.trainings)
        if ended >= total:
            return " | training and evaluating"
        left = (time.monotonic() - self._iteration_begun) / ended * (total - ended)
        return f" | about {left:.0f} s to training"

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._begun)
        return f"[{seconds // 60:02d}:{seconds % 60:02d}]"
