"""`python -m ucoder.trainer.several_processes PROCESSES JOB.json PARENT_PID`: the worker in several processes under torchrun,
which dies with its parent as a single worker does."""

import sys

from ucoder.runtime.child_process import end_with_parent
from ucoder.trainer.torchrun import launch


def main() -> int:
    """Returns when all processes have ended; the exit code is theirs."""
    processes, job, parent = sys.argv[1:]
    end_with_parent(int(parent))
    return launch(["--standalone", f"--nproc-per-node={processes}", "-m", "ucoder.trainer.training_worker", job])


if __name__ == "__main__":
    sys.exit(main())
