"""A training run as a child process: it dies with us, a cancelled one is killed, a killed one resumes."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ucoder.errors import Retry
from ucoder.trainer.training_job import TrainingJob, TrainingProgress, fault
from ucoder.v1 import artifacts_pb2


async def train(
    job: TrainingJob, on_progress: Callable[[TrainingProgress], None], processes: int, silence: float
) -> tuple[artifacts_pb2.TrainingSummary, float]:
    """Makes the Hugging Face folder of the job, whole or not at all; returns the summary and the probe's
    log-probability.

    The same job gives the same weights on the same machine, killed and called again or not; when its folder is there
    already, made by the same job, nothing is done again. What resuming needs lies beside it in `out.work`. Raises
    Reject (no example fits, the loss is not finite, too little GPU memory), Conflict (the folder is another
    training's), Retry (disk full, killed, `silence` seconds without a word).
    """
    work = Path(job.work)
    try:
        await asyncio.to_thread(_write_job, work, job)
    except OSError as error:
        raise Retry(f"cannot write {work}: {error.strerror}.") from None
    done = job.finished() or await _watch(work, on_progress, processes, silence)
    await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    probe = done.pop("probe_log_prob")
    return artifacts_pb2.TrainingSummary(**done), probe


def _write_job(work: Path, job: TrainingJob) -> None:
    work.mkdir(parents=True, exist_ok=True)
    job.write(work / "job.json")


async def _watch(
    work: Path, on_progress: Callable[[TrainingProgress], None], processes: int, silence: float
) -> dict[str, Any]:
    """Runs the child to its end. It is gone when this returns or raises, cancellation included."""
    start = (
        ("ucoder.trainer.training_worker",) if processes <= 1 else ("ucoder.trainer.several_processes", str(processes))
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *start, str(work / "job.json"), str(os.getpid()),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
        env={"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), silence):
            message = json.loads(line)
            if "progress" in message:
                on_progress(TrainingProgress(**message["progress"]))
            elif "error" in message:
                raise fault(message)
            else:
                return message["done"]  # type: ignore[no-any-return]
        code = await process.wait()
    except TimeoutError:
        raise Retry(f"the training in {work} said nothing for {silence:g} s and was killed.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    why = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}; its traceback is on stderr"
    raise Retry(f"the training in {work} ended {why}; the next attempt resumes it.")
