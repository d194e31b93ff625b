"""Choosing a boundary: what this machine has, the best first, and never less than was asked for."""

import functools
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.isolation import bubblewrap, gvisor, none, pod, root_filesystem
from ucoder.sandbox_runner.isolation.boundary import Launch, NoIsolation, Root

KINDS: dict[str, ModuleType] = {module.NAME: module for module in (gvisor, bubblewrap, pod, none)}
_AUTO = ("pod", "runsc", "bubblewrap")  # inside gVisor no second gVisor starts


class Boundary:
    """One usable kind of boundary."""

    def __init__(self, module: ModuleType, platform: str = "systrap") -> None:
        self.name: str = module.NAME
        self.platform = platform
        self._module = module

    @property
    def runsc(self) -> str:
        """The runsc binary, for the warden; empty for other kinds."""
        return gvisor.binary() or "" if self.name == gvisor.NAME else ""

    def on(self, platform: str) -> "Boundary":
        """The same on another of gVisor's platforms (`platforms.py`)."""
        return Boundary(self._module, platform)

    def root(self, folder: Path | None, packages: Path | None) -> Root:
        """The world inside: `folder` as it is, or one composed from this interpreter; with `packages` in it."""
        root = root_filesystem.given(folder, packages) if folder else root_filesystem.compose(packages=packages)
        return replace(root, complete=root.complete and self.name != pod.NAME)

    def launch(self, root: Root, name: str, folder: Path, seed: int) -> Launch:
        """How to start one cell whose programs find this seed."""
        started: Launch = self._module.launch(root, name, folder, self.platform, seed)
        return started


def choose(isolation: str) -> Boundary:
    """The kind called `isolation`, or for `auto` the best there is. Raises `NoIsolation`; never falls back to less."""
    if isolation != "auto" and isolation not in KINDS:
        raise Misconfigured(f"isolation {isolation!r} is unknown: auto, {', '.join(KINDS)}")
    reasons = []
    for name in _AUTO if isolation == "auto" else (isolation,):
        module = KINDS[name]
        reason = _missing(name)
        if not reason:
            return Boundary(module)
        reasons.append(f"{reason} ({module.INSTALL})")
    raise NoIsolation("; ".join(reasons))


@functools.cache
def _missing(name: str) -> str:
    return str(KINDS[name].missing())


def probe() -> list[tuple[str, bool, str]]:
    """For `ucoder doctor`: each kind, whether it can be used here, and what it covers and does not."""
    found = []
    for name, module in KINDS.items():
        reason = _missing(name)
        found.append((name, not reason, reason or (module.__doc__ or "").strip()))
    return found
