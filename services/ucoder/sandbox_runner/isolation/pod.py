"""Containers under gVisor beside this one, each a cell behind a Unix socket: a pod with a RuntimeClass, or compose.

Covers: the host, by gVisor around the whole pod; the runner's credentials, files and processes, for a cell container
has its own user and root, and its programs live in namespaces of their own (deploy/cell.py) with no network, no /proc
and nothing of the container but the interpreters; what one program leaves is ended and emptied before the next.
Does not cover: bugs of gVisor itself, side channels, and, since a restricted pod has no second user to give, a program
that makes its own cell fail: the cell's first process is its user's too, and only a filter keeps it from being killed.
"""

import sys
from pathlib import Path

from ucoder.sandbox_runner.isolation.boundary import Launch, NoIsolation, Root

NAME = "pod"
INSTALL = "give the sandbox-runner cell containers under gVisor, as helm/ucoder and deploy/compose.yaml do"
DRIFTS = False  # it may, but nothing in a pod could tell: the host's clocks are out of sight
PLACES = Path("/run/ucoder")
"""Holds a folder `cell-N` for each cell container, with its socket."""
RELAY = Path(__file__).with_name("pod_relay.py")

_taken: set[Path] = set()


def missing() -> str:
    """Empty beside cell containers. That they run under gVisor each says itself when it is joined (relay.py)."""
    return "" if any(PLACES.glob("cell-*")) else f"no cell container's folder is mounted below {PLACES}"


def launch(root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
    """A connection to a cell container that nobody uses; its own image is the cell's root.

    Raises NoIsolation when all are taken: a pod has as many as `UCODER_CELLS` says.
    """
    free = [place for place in sorted(PLACES.glob("cell-*")) if place not in _taken]
    if not free:
        raise NoIsolation(f"all {len(_taken)} cell containers of this pod are taken: give it more, and UCODER_CELLS")
    place = free[0]
    _taken.add(place)
    return Launch(relayed(place / "cell.sock", seed), lambda: _taken.discard(place), DRIFTS)


def relayed(address: Path, seed: int, *, anywhere: bool = False) -> tuple[str, ...]:
    """A command whose standard input and output are a fresh guest in the cell container behind `address`.

    It refuses a container that is not under gVisor, unless `anywhere`, for tests of everything else.
    """
    return sys.executable, "-I", "-S", str(RELAY), str(address), str(seed), *(["anywhere"] if anywhere else [])
