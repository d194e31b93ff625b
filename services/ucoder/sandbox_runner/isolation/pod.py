"""The pod boundary: containers under gVisor beside this one, each a cell behind a Unix socket, in a pod with a
RuntimeClass or by compose.

Covers: the host, by gVisor around the whole pod. The runner's credentials, files and processes, because a cell
container has a user and a root of its own, and its programs run in namespaces of their own (deploy/cell.py) with no
network, no /proc and nothing of the container but the interpreters. The next program, because what a program leaves is
ended and removed first.
Does not cover: bugs of gVisor itself; side channels; a program that makes its own cell fail. A restricted pod has no
second user to give, so the cell's first process has its programs' user, and only a seccomp filter keeps them from
killing it.
"""

import sys
from pathlib import Path

from ucoder.sandbox_runner.isolation.boundary import Launch, NoIsolation, Root

NAME = "pod"
INSTALL = "give the sandbox-runner cell containers under gVisor, as helm/ucoder and deploy/compose.yaml do"
CELLS_FOLDER = Path("/run/ucoder")
"""Holds a folder `cell-N` for each cell container, with its socket."""
RELAY = Path(__file__).with_name("pod_relay.py")

_taken: set[Path] = set()


def missing() -> str:
    """Returns the empty text where there are cell containers, else one line that says what is missing.

    Whether they run under gVisor, each says when it is joined (`pod_relay`).
    """
    return "" if any(CELLS_FOLDER.glob("cell-*")) else f"no cell container's folder is mounted below {CELLS_FOLDER}"


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """Prepares a connection to a free cell container, whose own image is the cell's root.

    Raises NoIsolation when all are taken: a pod has as many as `UCODER_CELLS` says. Its clock may drift too, but
    nothing in a pod could tell, because the host's clocks cannot be seen there.
    """
    free = [place for place in sorted(CELLS_FOLDER.glob("cell-*")) if place not in _taken]
    if not free:
        raise NoIsolation(
            f"all {len(_taken)} cell containers of this pod are taken: add containers to the pod, or lower UCODER_CELLS"
        )
    place = free[0]
    _taken.add(place)
    return Launch(relay_command(place / "cell.sock", seed), lambda: _taken.discard(place))


def relay_command(address: Path, seed: int, *, anywhere: bool = False) -> tuple[str, ...]:
    """Returns a command whose standard input and output are a fresh guest in the cell container behind `address`.

    It refuses a container that is not under gVisor, unless `anywhere` is set, for tests of everything else.
    """
    return sys.executable, "-I", "-S", str(RELAY), str(address), str(seed), *(["anywhere"] if anywhere else [])
