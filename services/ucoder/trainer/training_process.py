"""Runs a training as a child process: it ends with its parent, is killed when cancelled, and resumes after a kill."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ucoder.errors import Retry, UcoderError
from ucoder.trainer.training_job import TrainingJob, TrainingResult, decode_line
from ucoder.v1.trainer_pb2 import TrainingProgress

MAX_LINE_BYTES = 1 << 26
"""Limit of one line of the worker; the last one holds the loss of every step."""


async def train(
    job: TrainingJob, on_progress: Callable[[TrainingProgress], None], processes: int, silence_seconds: float
) -> TrainingResult:
    """Makes the job's Hugging Face folder, complete or not at all.

    The same job gives the same weights on the same machine, whether it was killed and called again or not. If its
    folder exists already, nothing is done again. What resuming needs is beside it in `out.work`. Raises Reject (no
    example fits, the loss is not finite, too little GPU memory), Conflict (the folder is another training's), Retry
    (disk full, killed, no line for `silence_seconds`).
    """
    work = Path(job.work)
    try:
        await asyncio.to_thread(job.write, work / "job.json")
    except OSError as error:
        raise Retry(f"cannot write {work}: {error.strerror}.") from None
    finished = job.finished_values()
    result = (
        TrainingResult.of(finished) if finished else await _run_worker(work, on_progress, processes, silence_seconds)
    )
    await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    return result


async def _run_worker(
    work: Path, on_progress: Callable[[TrainingProgress], None], processes: int, silence_seconds: float
) -> TrainingResult:
    """Runs the worker to its end. The process is gone when this returns or raises, even if it is cancelled."""
    parent, worker = str(os.getpid()), ("-m", "ucoder.trainer.training_worker", str(work / "job.json"))
    torchrun = ("-m", "ucoder.trainer.torchrun", "--die-with", parent, "--standalone", f"--nproc-per-node={processes}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *((*worker, parent) if processes <= 1 else (*torchrun, *worker)),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=MAX_LINE_BYTES,
        env={"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), silence_seconds):
            match decode_line(line.decode()):
                case TrainingProgress() as progress:
                    on_progress(progress)
                case UcoderError() as error:
                    raise error
                case TrainingResult() as result:
                    return result
        code = await process.wait()
    except TimeoutError:
        raise Retry(f"the training in {work} said nothing for {silence_seconds:g} s and was killed.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}; its traceback is on stderr"
    raise Retry(f"the training in {work} ended {how}; the next attempt resumes it.")
