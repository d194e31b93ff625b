"""What a child process does so that it never outlives, or is interrupted apart from, the process that started it."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """The kernel kills this process when `parent` (a process id) dies, however that dies; Ctrl-C is its affair.

    Linux only; elsewhere the end of stdin is the only tie.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the tie was made
        os._exit(1)
