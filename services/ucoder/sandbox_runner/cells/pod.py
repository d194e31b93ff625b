"""A pod under a RuntimeClass of gVisor: the boundary is already around us, so a cell is a plain process in it.

Covers: the host, by gVisor around the whole pod; the network, as far as the pod's NetworkPolicy does. Each program
has limits, and as root a user of its own without capabilities.
Does not cover: what else is in the pod. gVisor shows any process the environment and command line of the others, so
this pod must hold no secret: no service account token, no credentials in its environment; and loopback in the pod is
reachable.
"""

import ctypes
import shutil
import sys
from pathlib import Path

from ucoder.sandbox_runner.isolation import Launch, Root
from ucoder.sandbox_runner.rootfs import environment, python_command

NAME = "pod"
INSTALL = "set runtimeClassName: gvisor on the sandbox-runner's pods"
DRIFTS = True


def missing() -> str:
    """Empty when this process runs under gVisor, whose kernel log begins by saying so."""
    return "" if b"gVisor" in _kernel_log() else "this process does not run under gVisor"


def _kernel_log() -> bytes:
    buffer = ctypes.create_string_buffer(1 << 16)
    size = ctypes.CDLL(None).klogctl(3, buffer, len(buffer))
    return buffer.raw[: max(0, size)]


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """A cell called `name`: a process with an empty environment whose programs write under `folder`."""
    scratch = folder / name
    scratch.mkdir()
    folder.chmod(0o711)
    scratch.chmod(0o711)
    home = {"SCRATCH": str(scratch), "HOME": str(scratch), "LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"}
    python = f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    here = Root(Path("/"), root.guest, python, root.node, root.version)
    settings = [f"{key}={value}" for key, value in {**environment(seed), **home}.items()]
    command = ("/usr/bin/env", "-i", *settings, *python_command(here, str(root.guest)))
    return Launch(command, lambda: shutil.rmtree(scratch, ignore_errors=True), DRIFTS)
