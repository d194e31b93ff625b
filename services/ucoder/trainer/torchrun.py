"""`python -m ucoder.trainer.torchrun ARGUMENTS`: torchrun, with an exit code that tells whether trying again can help.

torchrun itself ends with 1 whatever its processes ended with; a Job's podFailurePolicy goes by the code alone.
"""

import sys
from collections.abc import Sequence

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from ucoder.trainer.training_job import REJECTED


def launch(arguments: Sequence[str]) -> int:
    """Returns when all processes have ended: 0, REJECTED when one of them ended with it, else 1."""
    try:
        run.main(list(arguments))
    except ChildFailedError as error:
        print(error, file=sys.stderr)
        return REJECTED if any(one.exitcode == REJECTED for one in error.failures.values()) else 1
    return 0


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
