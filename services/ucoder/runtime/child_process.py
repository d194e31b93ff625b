"""A program that never outlives the process that started it."""

import os
import sys

# The child asks the kernel for SIGTERM when its parent is gone, even by SIGKILL, and becomes the program. It does so in
# a program of its own because code between fork and exec would run gRPC's fork handlers, which deadlock.
_TIED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    raise SystemExit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    raise SystemExit(f"{sys.argv[2]}: {error.strerror}")
"""


def dying_with_parent(*command: str) -> list[str]:
    """The command line that runs `command` until it ends or this process does. Linux."""
    return [sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid()), *command]
