"""No boundary at all: programs are processes of this machine. It must be asked for by name, and every report says so.

Covers: time, memory, processes, files and output of each program, as far as the program does not resist; where ucoder
runs as root, a user of its own for each program.
Does not cover: your files, your network, your other processes, ucoder itself. Use it only for programs that you would
run yourself.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from ucoder.sandbox_runner.isolation.boundary import Launch, Root
from ucoder.sandbox_runner.isolation.root_filesystem import environment, python_command

NAME = "none"
INSTALL = "nothing to install"


def missing() -> str:
    """Returns the empty text: no isolation needs no setup."""
    return ""


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """Prepares a plain process with an environment of its own; its programs write under `folder`."""
    scratch = folder / name
    scratch.mkdir()
    folder.chmod(0o711)
    scratch.chmod(0o711)
    home = {"SCRATCH": scratch, "HOME": scratch, "PACKAGES": root.packages or "", "NODE": root.node or ""}
    settings = {**environment(seed), **home, "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"}
    here = replace(root, python=f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    variables = [f"{key}={value}" for key, value in settings.items()]
    command = ("/usr/bin/env", "-i", *variables, *python_command(here, str(root.guest)))
    return Launch(command, lambda: shutil.rmtree(scratch, ignore_errors=True))
