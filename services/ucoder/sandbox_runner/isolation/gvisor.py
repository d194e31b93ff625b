"""The gVisor boundary: another kernel, in a process without rights, answers every system call of a program.

Covers: the host's kernel, files, processes and network (none, not even loopback to the host); the host's identity and
environment; memory and process bombs within the cell. /proc and /sys are hidden, the root is read-only, and each
program has a user of its own without capabilities.
Does not cover: bugs of gVisor itself, side channels through the processor, and what programs in the same cell could
learn of one another through timing.
"""

import json
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

NAME = "runsc"
INSTALL = "deploy/install-sandbox.sh"


def binary() -> str | None:
    """Returns the path of runsc: from PATH, or where the install script puts it without root."""
    own = Path.home() / ".cache" / "ucoder" / "bin" / "runsc"
    return shutil.which("runsc") or (str(own) if own.is_file() else None)


def missing() -> str:
    """Returns the empty text when gVisor works here, else one line that says what is missing."""
    path = binary()
    if path is None:
        return "gVisor's runsc is not installed"
    answer = _run_version(path)
    return "" if answer.returncode == 0 else f"{path} does not run: {answer.stderr.strip()[:200]}"


def version() -> str:
    """Returns the version that the binary prints."""
    return _run_version(str(binary())).stdout.strip()


def _run_version(path: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=False)


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """Prepares a cell called `name`; its bundle and gVisor's state are under `folder`, which exists."""
    bundle = folder / name
    bundle.mkdir()
    (bundle / "config.json").write_text(json.dumps(specification(root, seed)))
    state = folder / "state"
    runsc = (
        str(binary()),
        f"--root={state}",
        "--network=none",
        "--ignore-cgroups",
        f"--platform={platform}",
        "--overlay2=none",
        "--host-uds=none",
        *(() if os.getuid() == 0 else ("--rootless",)),
    )

    def dispose() -> None:
        subprocess.run([*runsc, "delete", "--force", name], capture_output=True, check=False)
        shutil.rmtree(bundle, ignore_errors=True)

    return Launch((*runsc, "run", f"--bundle={bundle}", name), dispose, clock_drifts=True)


def specification(root: Root, seed: int) -> dict[str, object]:
    """Returns the OCI configuration of a cell."""
    shown = {GUEST: root.guest, NODE: root.node, PACKAGES: root.packages}
    bound = [_mount(place, "bind", str(path), "ro", "bind") for place, path in shown.items() if path]
    hidden = [
        _mount(path, "tmpfs", "tmpfs", "ro", "nosuid", "nodev", "noexec", "size=4k") for path in ("/proc", "/sys")
    ]
    scratch = _mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=755", f"size={SCRATCH_MB}m")
    size = f"size={SHARED_MEMORY_MB}m"
    shared_memory = _mount("/dev/shm", "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", "mode=1777", size)
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(root.path), "readonly": True},
        "hostname": "cell",
        "mounts": [*bound, *hidden, scratch, shared_memory],
        "process": {
            "user": {"uid": 0, "gid": 0},
            "cwd": "/",
            "args": list(python_command(root)),
            "env": [f"{key}={value}" for key, value in environment(seed).items()],
            "capabilities": dict.fromkeys(("bounding", "effective", "inheritable", "permitted"), CAPABILITIES),
            "noNewPrivileges": True,
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        },
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }


def _mount(place: str, kind: str, source: str, *options: str) -> dict[str, object]:
    """Returns a mount of the OCI configuration."""
    return {"destination": place, "type": kind, "source": source, "options": list(options)}
