"""The worker process of a training: `python -m ucoder.trainer.training_worker JOB.json [PARENT_PID]`.

It prints the lines that `training_job` describes. Killed and started again with the same job, it resumes from the last
saved step and ends with the same weights.
"""

import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from ucoder.errors import Reject, Retry, UcoderError
from ucoder.runtime.child_process import end_with_parent
from ucoder.trainer.distributed import ProcessGroup, joined_process_group
from ucoder.trainer.training import Training
from ucoder.trainer.training_job import ExitCode, TrainingJob, encode_line
from ucoder.v1.trainer_pb2 import TrainingProgress

NO_MEMORY = "out of memory while training: lower training.micro_batch or training.max_tokens, or free some."
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def run_worker(
    prepare: Callable[[ProcessGroup], TrainingJob],
    keep_state: Callable[[Path], None] = lambda file: None,
    keep_checkpoint: Callable[[Path], None] = lambda folder: None,
) -> ExitCode:
    """Runs the job that `prepare` returns, in every process, once its files are on this machine.

    In the first process `keep_state` gets each file that a resumed training needs, and `keep_checkpoint` the finished
    folder. Prints one line for an expected failure; any other exception leaves as a traceback.
    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not come between the lines

    def send(message: TrainingProgress | UcoderError | dict[str, Any]) -> None:
        print(encode_line(message), file=out, flush=True)

    torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    torch.use_deterministic_algorithms(True, warn_only=True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 - untyped; it costs time
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    work = Path.cwd()
    try:
        with joined_process_group() as group:
            job = prepare(group)
            work = Path(job.work)
            with open(work / "lock", "w") as lock:
                if group.is_first:
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        raise Retry(f"another process is training {job.out}.") from None
                values = job.finished_values() or Training(job, group, send, keep_state).run()
                if group.is_first:
                    keep_checkpoint(Path(job.out))
                    send(values)
        return ExitCode.FINISHED
    except (UcoderError, MemoryError, OSError, RuntimeError, SafetensorError) as error:
        failure = _expected_failure(error, work)
        if failure is None:
            raise
    send(failure)
    return ExitCode.REJECTED if isinstance(failure, Reject) else ExitCode.FAILED


def _expected_failure(error: Exception, work: Path) -> UcoderError | None:
    """Returns the failure that an exception stands for; None for a bug.

    torch and safetensors report a full disk, and torch a full memory, by exceptions of their own.
    """
    if isinstance(error, UcoderError):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        first = str(error).partition("\n")[0]
        return Reject(f"out of GPU memory: lower training.micro_batch or training.max_tokens. {first}")
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return Retry(NO_MEMORY)
    free = shutil.disk_usage(work).free >> 20
    if getattr(error, "errno", None) in UNWRITABLE or not free:
        return Retry(f"cannot write {work}, {free} MB free there: {error}")
    return None


def leave(code: ExitCode) -> NoReturn:
    """Ends the process at once; by then everything is printed and written.

    A normal interpreter shutdown ends the threads of torch and of the store in any order, which killed 2 of 6 finished
    trainings of two processes with SIGABRT. torchrun then kills the other processes, finished or not.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]) if len(sys.argv) > 2 else os.getppid())
    leave(run_worker(lambda _: TrainingJob.read(Path(sys.argv[1]))))
