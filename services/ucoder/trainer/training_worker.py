"""A training in a process of its own: `python -m ucoder.trainer.training_worker JOB.json [PARENT_PID]`.

One JSON object per line on stdout: {"progress": {...}} after each step, then {"done": {...}} or
{"error": NAME, "text": LINE} with an error of runtime/errors.py. Killed and started again with the same job, it goes
on from the last saved step and ends with the same weights.
"""

import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from ucoder.errors import Reject, Retry, UcoderError
from ucoder.runtime.child_process import end_with_parent
from ucoder.trainer.distributed import ProcessGroup, joined
from ucoder.trainer.training import Training
from ucoder.trainer.training_job import REJECTED, TrainingJob

NO_MEMORY = "out of memory while training: lower training.micro_batch or training.max_tokens, or free some."
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def say(out: IO[str], message: dict[str, Any]) -> None:
    """One line to the parent."""
    print(json.dumps(message), file=out, flush=True)


def _take(lock: IO[str], job: TrainingJob) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Retry(f"another process is training {job.out}.") from None


def main() -> NoReturn:
    """Runs the job of a file, tied to whoever started it."""
    end_with_parent(int(sys.argv[2]) if len(sys.argv) > 2 else os.getppid())
    leave(perform(lambda company: TrainingJob.read(Path(sys.argv[1]))))


def leave(code: int) -> NoReturn:
    """Ends the process at once, all being said and written.

    An interpreter that ends in its own way takes torch's and the store's threads down in any order, which ended 2 of 6
    finished trainings of two processes with SIGABRT; torchrun then kills the others, finished or not.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def perform(
    prepare: Callable[[ProcessGroup], TrainingJob],
    kept: Callable[[Path], None] = lambda file: None,
    made: Callable[[Path], None] = lambda folder: None,
) -> int:
    """Runs the job; what goes wrong in the world or in the job is one line, anything else a traceback.

    The first process tells `kept` of each file that a resumed training needs, and `made` of the finished folder.
    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not land between lines
    torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    torch.use_deterministic_algorithms(True, warn_only=True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010 - untyped; it costs time
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    place = Path.cwd()
    try:
        with joined() as company:
            job = prepare(company)
            place = Path(job.work)
            with open(place / "lock", "w") as lock:
                if company.first:
                    _take(lock, job)
                done = (
                    job.finished() or Training(job, company, lambda moment: say(out, {"progress": moment}), kept).run()
                )
                if company.first:
                    made(Path(job.out))
                    say(out, {"done": done})
        return 0
    except UcoderError as error:
        wrong = error
    except torch.OutOfMemoryError as error:
        first = str(error).partition("\n")[0]
        wrong = Reject(f"out of GPU memory: lower training.micro_batch or training.max_tokens. {first}")
    except MemoryError:
        wrong = Retry(NO_MEMORY)
    except (
        OSError,
        RuntimeError,
        SafetensorError,
    ) as error:  # torch and safetensors have their own words for a full disk
        free = shutil.disk_usage(place).free >> 20
        if "DefaultCPUAllocator" in str(error):  # torch's MemoryError
            wrong = Retry(NO_MEMORY)
        elif getattr(error, "errno", None) in UNWRITABLE or not free:
            wrong = Retry(f"cannot write {place}, {free} MB free there: {error}")
        else:
            raise
    say(out, {"error": type(wrong).__name__, "text": str(wrong)})
    return REJECTED if isinstance(wrong, Reject) else 1


if __name__ == "__main__":
    main()
