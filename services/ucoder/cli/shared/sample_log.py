"""The samples of a model, written as they come, so that a killed evaluation goes on where it was."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ucoder.cli.shared.answer_source import Benchmark
from ucoder.cli.shared.sample_files import SampleLine, lines_for_harness, read_samples
from ucoder.errors import Misconfigured
from ucoder.evaluator.task_answers import TaskAnswers
from ucoder.runtime.atomic import atomic_file
from ucoder.v1 import evaluator_pb2


@dataclass(slots=True)
class SampleLog:
    """The file, and the samples that it held when the evaluation began."""

    format: str
    sampled_by: str
    file: IO[str] | None = None
    known: dict[str, list[evaluator_pb2.Sample]] = field(default_factory=dict)
    """By task, the samples of an earlier call; every task here has all of its samples."""

    def write(self, answer: TaskAnswers) -> None:
        """Adds the samples of one task."""
        if self.file and answer.task.task_id not in self.known:
            for value in lines_for_harness(self.format, [answer]):
                self.file.write(f"{json.dumps(value | {'sampled_by': self.sampled_by})}\n")
            self.file.flush()


@contextlib.contextmanager
def sample_log(path: Path | None, benchmark: Benchmark, samples: int, sampled_by: str) -> Iterator[SampleLog]:
    """Opens the file of a model's samples, `samples` for each task; without a path nothing is written.

    sampled_by: the model and how it is asked, which every line names. An existing file must hold samples of the same
    benchmark by the same model, as many a task: complete tasks are kept, and what a killed call left of an incomplete
    one is removed. Raises Misconfigured otherwise, and leaves the file as it is.
    """
    log = SampleLog(benchmark.format, sampled_by)
    if path is None:
        yield log
        return
    if path.suffix == ".gz":
        raise Misconfigured(f"--out {path}: samples are written as they come, so not into a compressed file.")
    try:
        if path.exists() and path.stat().st_size:
            log.known = _keep_complete_tasks(path, benchmark, samples, sampled_by)
        with path.open("a", encoding="utf-8") as file:
            log.file = file
            yield log
    except OSError as error:
        raise Misconfigured(f"--out {path}: {error.strerror}.") from None


def _keep_complete_tasks(
    path: Path, benchmark: Benchmark, samples: int, sampled_by: str
) -> dict[str, list[evaluator_pb2.Sample]]:
    """Returns the samples of the complete tasks of a file, which afterwards holds nothing else."""
    known: dict[str, list[evaluator_pb2.Sample]] = {}
    lines = _whole_lines(path, benchmark)
    for line in lines:
        by = line.value.get("sampled_by", "somebody else")
        if by != sampled_by:
            raise Misconfigured(
                f"--out {path}:{line.number}: a sample by {by}, not by {sampled_by}. Give another file."
            )
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


def _whole_lines(path: Path, benchmark: Benchmark) -> list[SampleLine]:
    """Reads the lines of a file without the last one where that was cut off."""
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if not whole.strip():
        return []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(whole)
        try:
            return read_samples(copy, {task.task_id for task in benchmark.tasks})
        except Misconfigured as error:
            raise Misconfigured(f"--out {str(error).replace(str(copy), str(path))} Give another file.") from None
