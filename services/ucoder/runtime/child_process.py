"""Child processes that end when their parent does, even when SIGKILL ends the parent: the parent-death signal of Linux.

A program of ours calls `end_with_parent` first. Any other program is started by the command `ending_with_parent`.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

# A small program sets the signal and then becomes the real one. The signal cannot be set between fork and exec, because
# code that runs there would run gRPC's fork handlers, which deadlock.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    raise SystemExit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    raise SystemExit(f"{sys.argv[2]}: {error.strerror}")
"""


def ending_with_parent(*command: str) -> list[str]:
    """Returns the command line that runs `command` and sends it SIGTERM when this process dies. Linux only."""
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]


def end_with_parent(parent: int) -> None:
    """Has the kernel kill this process when the process `parent` dies, and ignores Ctrl-C, which the parent handles.

    Elsewhere than on Linux nothing but the end of its stdin tells the child that its parent is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was set
        os._exit(1)
