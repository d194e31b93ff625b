"""The bubblewrap boundary: programs use the host's kernel, in namespaces of their own, through a seccomp filter.

Covers: files (a root of its own, read-only), processes, network (none), the host's identity and environment; bombs,
within the limits of each program. The seccomp filter refuses system calls that widen the kernel's attack surface. Where
ucoder runs as root, each program has a user of its own without capabilities.
Does not cover: bugs of the Linux kernel, which the programs speak to directly; side channels; memory of the cell as a
whole. Without root all programs of a cell share one user, so a program could disturb the next ones until the cell is
replaced.
"""

import os
import shutil
import subprocess
from pathlib import Path

from ucoder.sandbox_runner.isolation.boundary import (
    CAPABILITIES,
    NODE,
    PACKAGES,
    SCRATCH_MB,
    SHARED_MEMORY_MB,
    Launch,
    Root,
)
from ucoder.sandbox_runner.isolation.root_filesystem import GUEST, environment, python_command

NAME = "bubblewrap"
INSTALL = "deploy/install-sandbox.sh"


def missing() -> str:
    """Returns the empty text when bubblewrap works here, else one line that says what is missing."""
    path = shutil.which("bwrap")
    if path is None:
        return "bubblewrap (bwrap) is not installed"
    command = [path, *_namespaces(), "--ro-bind", "/", "/", "true"]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"bubblewrap cannot make namespaces here: {tried.stderr.strip()[:200]}"


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """Prepares a cell that dies with this process and leaves nothing behind."""
    shown = {"/": root.path, GUEST: root.guest, NODE: root.node, PACKAGES: root.packages}
    command = [
        *(str(shutil.which("bwrap")), *_namespaces(), "--die-with-parent", "--as-pid-1", "--clearenv"),
        *(word for place, path in shown.items() if path for word in ("--ro-bind", str(path), place)),
        *("--dev", "/dev", "--remount-ro", "/dev"),
        *("--size", str(SCRATCH_MB << 20), "--perms", "0755", "--tmpfs", "/tmp"),
        *("--size", str(SHARED_MEMORY_MB << 20), "--perms", "1777", "--tmpfs", "/dev/shm"),
        *("--chdir", "/", "--hostname", "cell", "--cap-drop", "ALL"),
        *(word for right in CAPABILITIES if os.getuid() == 0 for word in ("--cap-add", right)),
        *(word for key, value in environment(seed).items() for word in ("--setenv", key, value)),
        *python_command(root),
    ]
    return Launch(tuple(command), lambda: None)


def _namespaces() -> list[str]:
    kinds = ["ipc", "pid", "net", "uts", "cgroup-try"]
    return [f"--unshare-{kind}" for kind in (kinds if os.getuid() == 0 else ["user", *kinds])]
