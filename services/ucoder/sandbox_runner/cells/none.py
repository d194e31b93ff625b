"""No boundary at all: programs are processes of this machine. It must be asked for by name, and every report says so.

Covers: time, memory, processes, files and output of each program, as far as the program does not resist; as root a
user of its own for each program.
Does not cover: your files, your network, your other processes, this program itself. Only for programs you would run
yourself.
"""

from pathlib import Path

from ucoder.sandbox_runner.cells import pod
from ucoder.sandbox_runner.isolation import Launch, Root

NAME = "none"
INSTALL = "nothing to install"
DRIFTS = False


def missing() -> str:
    """Nothing is needed for nothing."""
    return ""


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """A plain process, as in a pod, without the pod."""
    started = pod.launch(root, name, folder, platform, seed)
    return Launch(started.command, started.dispose, DRIFTS)
