"""The samples of a model, written as they come, so that a killed evaluation goes on where it was."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ucoder.cli.shared.answer_source import Benchmark
from ucoder.cli.shared.sample_files import lines_for_harness, read_samples
from ucoder.errors import Misconfigured
from ucoder.evaluator.task_answers import TaskAnswers
from ucoder.runtime.atomic import atomic_file
from ucoder.v1 import evaluator_pb2


@dataclass(slots=True)
class SampleLog:
    """The file, and the samples that it held when the evaluation began."""

    format: str
    file: IO[str] | None = None
    known: dict[str, list[evaluator_pb2.Sample]] = field(default_factory=dict)
    """By task, the samples of an earlier call; every task here has all of its samples."""

    def write(self, answer: TaskAnswers) -> None:
        """Adds the samples of one task."""
        if self.file and answer.task.task_id not in self.known:
            for value in lines_for_harness(self.format, [answer]):
                self.file.write(f"{json.dumps(value)}\n")
            self.file.flush()


@contextlib.contextmanager
def sample_log(path: Path | None, benchmark: Benchmark, samples: int) -> Iterator[SampleLog]:
    """Opens the file of a model's samples, `samples` for each task; without a path nothing is written.

    An existing file must be one of the same benchmark and number of samples: complete tasks are kept, and what a killed
    call left of an incomplete one is removed. Raises Misconfigured otherwise.
    """
    log = SampleLog(benchmark.format)
    if path is None:
        yield log
        return
    if path.suffix == ".gz":
        raise Misconfigured(f"--out {path}: samples are written as they come, so not into a compressed file.")
    try:
        if path.exists() and path.stat().st_size:
            log.known = _complete_samples(path, benchmark, samples)
        with path.open("a", encoding="utf-8") as file:
            log.file = file
            yield log
    except OSError as error:
        raise Misconfigured(f"--out {path}: {error.strerror}.") from None


def _complete_samples(path: Path, benchmark: Benchmark, samples: int) -> dict[str, list[evaluator_pb2.Sample]]:
    """Returns the samples of the complete tasks of a file, which afterwards holds nothing else."""
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]  # the last line may have been cut off
    with atomic_file(path) as temporary:
        temporary.write_bytes(whole)
    if not whole.strip():
        return {}
    lines = read_samples(path, {task.task_id for task in benchmark.tasks})
    known: dict[str, list[evaluator_pb2.Sample]] = {}
    for line in lines:
        known.setdefault(line.samples[0].task_id, []).extend(line.samples)
    if more := next((task for task, some in known.items() if len(some) > samples), None):
        raise Misconfigured(
            f"--out {path}: it holds {len(known[more])} samples of {more}, but {samples} are asked for. "
            "Give another file."
        )
    complete = {task: some for task, some in known.items() if len(some) == samples}
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(line.value)}\n" for line in lines if line.samples[0].task_id in complete)
    return complete
