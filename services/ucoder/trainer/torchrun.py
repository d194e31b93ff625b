"""Runs torchrun with an exit code that tells whether another attempt can help: `python -m ucoder.trainer.torchrun`.

    python -m ucoder.trainer.torchrun [--die-with PID] ARGUMENTS OF TORCHRUN

torchrun itself ends with 1 for every failure of its processes, and a Job's podFailurePolicy sees only the exit code.
`--die-with` names the process that started this one: torchrun and its processes end when that one does.
"""

import sys
from collections.abc import Sequence

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from ucoder.runtime.child_process import end_with_parent
from ucoder.trainer.training_job import ExitCode


def main(arguments: Sequence[str]) -> ExitCode:
    """Returns when all processes have ended; REJECTED if one of them ended with that code."""
    if arguments[:1] == ["--die-with"]:
        end_with_parent(int(arguments[1]))
        arguments = arguments[2:]
    try:
        run.main(list(arguments))
    except ChildFailedError as error:
        print(error, file=sys.stderr)
        rejected = any(failure.exitcode == ExitCode.REJECTED for failure in error.failures.values())
        return ExitCode.REJECTED if rejected else ExitCode.FAILED
    return ExitCode.FINISHED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
