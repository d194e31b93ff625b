"""`python -m ucoder.trainer.together PROCESSES JOB.json PARENT_PID`: the worker in several processes under torchrun,
which dies with its parent as a single worker does."""

import sys

from ucoder.models.lifeline import tie_to_parent
from ucoder.trainer.launch import launch


def main() -> int:
    """Returns when all processes have ended; the exit code is theirs."""
    processes, job, parent = sys.argv[1:]
    tie_to_parent(int(parent))
    return launch(["--standalone", f"--nproc-per-node={processes}", "-m", "ucoder.trainer.worker", job])


if __name__ == "__main__":
    sys.exit(main())
