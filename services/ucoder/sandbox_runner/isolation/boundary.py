"""The kinds of boundary, and which of them this machine has."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ucoder.errors import UcoderError

NODE = "/bin/node"
"""Where node is inside a cell, if this machine has it."""
PACKAGES = "/packages"
"""Where third-party packages are inside a cell, if it was given any."""


_PRESENT = sys.stdlib_module_names | {"ucoder"}


class NoIsolation(UcoderError):
    """No boundary is available; the text says what is missing and the command that installs it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one cell: a command whose standard input and output speak the cell's frames.

    `dispose` removes what the command may leave behind when it is killed.
    """

    command: tuple[str, ...]
    dispose: Callable[[], None]
    drifts: bool = False
    """The clock inside counts time in which the host let the program wait."""


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that is a cell's whole world, read-only, and the interpreter's path inside it."""

    path: Path
    guest: Path
    """Our own files, shown inside as /guest."""
    python: str
    node: Path | None
    """This machine's node, shown inside as `NODE`."""
    packages: Path | None
    """A folder of third-party packages, shown inside as `PACKAGES`."""
    version: str
    """Changes whenever what runs inside changes; part of every cache key."""
    complete: bool = False
    """Known to have the standard library's modules and no others."""

    def absent(self, module: str) -> bool:
        """Whether importing a module by this top-level name is sure to fail inside."""
        return self.complete and module not in _PRESENT and not module.startswith("_")
