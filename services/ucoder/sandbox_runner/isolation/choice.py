"""The table of isolation kinds, and the choice among them: the best that works here, never less than asked for."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from ucoder.errors import Misconfigured
from ucoder.sandbox_runner.isolation import bubblewrap, gvisor, none, pod, root_filesystem
from ucoder.sandbox_runner.isolation.boundary import IsolationKind, Launch, NoIsolation, Root

_MODULES: tuple[IsolationKind, ...] = (gvisor, bubblewrap, pod, none)
KINDS = {module.NAME: module for module in _MODULES}
_AUTO = ("pod", "runsc", "bubblewrap")  # a second gVisor does not start inside gVisor


@dataclass(frozen=True, slots=True)
class Boundary:
    """A kind that can be used here, on one of gVisor's platforms where it is gVisor."""

    module: IsolationKind
    platform: str = "systrap"

    @property
    def name(self) -> str:
        """The name of the kind."""
        return self.module.NAME

    @property
    def runsc(self) -> str:
        """The path of gVisor's binary, for the orphan cleanup; empty for other kinds."""
        return gvisor.binary() or "" if self.name == gvisor.NAME else ""

    def on(self, platform: str) -> "Boundary":
        """Returns the same kind on another of gVisor's platforms (`host/gvisor_platforms`)."""
        return replace(self, platform=platform)

    def root(self, folder: Path | None, packages: Path | None) -> Root:
        """Returns the root of the cells, with `packages` in it: `folder` as it is, or one composed from this
        interpreter.
        """
        root = root_filesystem.of_image(folder, packages) if folder else root_filesystem.compose(packages=packages)
        return replace(root, complete=root.complete and self.name != pod.NAME)

    def launch(self, root: Root, name: str, folder: Path, seed: int) -> Launch:
        """Prepares one cell for programs that get this seed."""
        return self.module.launch(root, name, folder, self.platform, seed)


def choose(isolation: str) -> Boundary:
    """Returns the kind called `isolation`, or for `auto` the best that works here.

    Raises `NoIsolation` when it does not work here, and never falls back to a weaker kind than the one asked for.
    """
    if isolation != "auto" and isolation not in KINDS:
        raise Misconfigured(f"isolation {isolation!r} is unknown: choose auto, {', '.join(KINDS)}")
    reasons = []
    for name in _AUTO if isolation == "auto" else (isolation,):
        reason = _missing(name)
        if not reason:
            return Boundary(KINDS[name])
        reasons.append(f"{reason} ({KINDS[name].INSTALL})")
    raise NoIsolation("; ".join(reasons))


@functools.cache
def _missing(name: str) -> str:
    return KINDS[name].missing()


def probe() -> list[tuple[str, bool, str]]:
    """Returns, for `ucoder doctor`, each kind, whether it works here, and what it covers or what is missing."""
    reasons = {name: _missing(name) for name in KINDS}
    return [(name, not reason, reason or (KINDS[name].__doc__ or "").strip()) for name, reason in reasons.items()]
