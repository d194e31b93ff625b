"""The contract of an isolation kind, and the types that pass through it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ucoder.errors import UcoderError

NODE = "/bin/node"
"""The path of node inside a cell, if this machine has it."""
PACKAGES = "/packages"
"""The folder of third-party packages inside a cell, if it was given any."""
CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN", "CAP_DAC_OVERRIDE")
"""The rights of a cell's first process, which its programs lose."""
SCRATCH_MB = 64
SHARED_MEMORY_MB = 16
"""The size of the temporary file system that the programs of a cell write to."""
_PRESENT = sys.stdlib_module_names | {"ucoder"}


class NoIsolation(UcoderError):
    """No boundary is available; the text says what is missing and the command that installs it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The start of one cell: a command whose standard input and output speak the cell's frames."""

    command: tuple[str, ...]
    dispose: Callable[[], None]
    """Removes what the command may leave behind when it is killed."""
    clock_drifts: bool = False
    """Whether the clock inside also counts the time in which the host let the program wait."""


@dataclass(frozen=True, slots=True)
class Root:
    """The root file system of a cell, read-only, and the interpreter's path inside it."""

    path: Path
    guest: Path
    """The folder of the guest's files, shown inside as /guest."""
    python: str
    node: Path | None
    """This machine's node, shown inside as `NODE`."""
    packages: Path | None
    """A folder of third-party packages, shown inside as `PACKAGES`."""
    version: str
    """Changes whenever what runs inside changes; part of every cache key."""
    complete: bool = False
    """Whether it is known to have the modules of the standard library and no others."""

    def absent(self, module: str) -> bool:
        """Returns whether importing a module by this top-level name is sure to fail inside."""
        return self.complete and module not in _PRESENT and not module.startswith("_")


class IsolationKind(Protocol):
    """The contract of a kind's module; its docstring says what the kind covers and does not cover."""

    __doc__: str | None
    NAME: str
    INSTALL: str
    """The command, or the deed, that makes the kind available."""

    def missing(self) -> str:
        """Returns the empty text when the kind works here, else one line that says what is missing."""

    def launch(self, root: Root, name: str, folder: Path, platform: str, seed: int) -> Launch:
        """Prepares a cell called `name`, which may keep files under `folder`, for programs that get this seed.

        `platform` is gVisor's; other kinds ignore it.
        """
