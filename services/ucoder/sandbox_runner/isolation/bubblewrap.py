"""bubblewrap: the host's own kernel, in namespaces of its own, with most of what is dangerous filtered out.

Covers: files (a root of its own, read-only), processes, network (none), the host's identity and environment, bombs
within limits of each program; system calls that widen the kernel's attack surface are refused by a seccomp filter.
With root each program has a user of its own without capabilities.
Does not cover: bugs of the Linux kernel, which the programs speak to directly; side channels; memory of the cell as a
whole. Without root all programs of a cell share one user, so that one could disturb the next until the cell is
replaced.
"""

import os
import shutil
import subprocess
from pathlib import Path

from ucoder.sandbox_runner.isolation.boundary import NODE, PACKAGES, Launch, Root
from ucoder.sandbox_runner.isolation.root_filesystem import GUEST, environment, python_command

NAME = "bubblewrap"
INSTALL = "deploy/install-sandbox.sh"
DRIFTS = False
_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE")
_SCRATCH_BYTES = 64 << 20


def missing() -> str:
    """Empty when bubblewrap works here, else one line that says what is missing."""
    path = shutil.which("bwrap")
    if path is None:
        return "bubblewrap (bwrap) is not installed"
    tried = subprocess.run(
        [path, *_namespaces(), "--ro-bind", "/", "/", "true"], capture_output=True, text=True, check=False
    )
    return "" if tried.returncode == 0 else f"bubblewrap cannot make namespaces here: {tried.stderr.strip()[:200]}"


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """A cell. It dies with us, and leaves nothing behind."""
    command = [
        *(str(shutil.which("bwrap")), *_namespaces(), "--die-with-parent", "--as-pid-1", "--clearenv"),
        *(
            "--ro-bind",
            str(root.path),
            "/",
            "--ro-bind",
            str(root.guest),
            GUEST,
            *(("--ro-bind", str(root.node), NODE) if root.node else ()),
            *(("--ro-bind", str(root.packages), PACKAGES) if root.packages else ()),
            "--dev",
            "/dev",
            "--remount-ro",
            "/dev",
        ),
        *("--size", str(_SCRATCH_BYTES), "--perms", "0755", "--tmpfs", "/tmp"),
        *("--tmpfs", "/dev/shm", "--remount-ro", "/dev/shm", "--chdir", "/", "--hostname", "cell", "--cap-drop", "ALL"),
        *(word for name in _CAPABILITIES if os.getuid() == 0 for word in ("--cap-add", name)),
        *(word for key, value in environment(seed).items() for word in ("--setenv", key, value)),
        *python_command(root),
    ]
    return Launch(tuple(command), lambda: None, DRIFTS)


def _namespaces() -> list[str]:
    kinds = ["ipc", "pid", "net", "uts", "cgroup-try"]
    return [f"--unshare-{kind}" for kind in (kinds if os.getuid() == 0 else ["user", *kinds])]
