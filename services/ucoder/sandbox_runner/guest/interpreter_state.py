"""The check that a fork-safe program left the interpreter unchanged: one snapshot before it runs and one after.

Covers what the whitelist (`core/fork_safety`) lets a program reach: builtins, the modules it may import, their classes
and their module-level containers, and the interpreter's settings. Does not cover programs beyond the whitelist: they
run alone.
"""

import atexit
import builtins
import decimal
import gc
import operator
import os
import re
import signal
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from ucoder.sandbox_runner.guest.cell_protocol import REPORT_DESCRIPTOR

Space = Mapping[str, Any]
Libraries = tuple[list[Space], list[list[Any]], list[Any], list[int]]
"""The namespaces that are compared, the values each held, the containers among them, and the containers' sizes."""

PREPARED = tuple(
    """
    bisect cmath collections collections.abc copy datetime decimal fractions functools hashlib heapq itertools json math
    operator random re statistics string textwrap typing abc array calendar enum dataclasses contextlib time
    """.split()  # noqa: SIM905
)
"""Imported before the first fork, so that no program pays for them, and no program adds them to `sys.modules`."""

_SIGNALS = (
    signal.SIGPROF,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGXCPU,
    signal.SIGCHLD,
)


def _namespaces() -> list[Space]:
    spaces: list[Space] = [vars(builtins), vars(sys)]
    for name in PREPARED:
        module = sys.modules[name]
        spaces.append(vars(module))
        spaces += [
            vars(value) for value in vars(module).values() if isinstance(value, type) and value.__module__ != "builtins"
        ]
    return spaces


def _containers(spaces: list[Space]) -> list[Any]:
    return [value for space in spaces for value in space.values() if type(value) in (list, dict, set)]


def libraries() -> Libraries:
    """Returns the snapshot of the libraries; taken once, before the first fork."""
    sys.stdout = sys.stderr = None
    re.purge()
    spaces = _namespaces()
    containers = [one for one in _containers(spaces) if one is not sys.modules]
    return spaces, [list(space.values()) for space in spaces], containers, [len(one) for one in containers]


def difference(
    before: Libraries, settings_before: dict[str, object], settings_now: dict[str, object] | None = None
) -> str:
    """Returns what changed since the two snapshots, or the empty text. Empties the pattern cache of `re`, which every
    program may fill.
    """
    spaces, values, containers, sizes = before
    re.purge()
    for number, (space, held) in enumerate(zip(spaces, values, strict=True)):
        if len(space) != len(held) or not all(map(operator.is_, space.values(), held)):
            return f"namespace {number} changed"
    if [len(one) for one in containers] != sizes:
        return "a container of a library module changed"
    now = settings_now or settings()
    if now != settings_before:
        return f"the interpreter changed: {[name for name, value in now.items() if settings_before[name] != value]}"
    return ""


IMPORTED = ("modules", "atexit", "warnings", "descriptors", "path", "signals", "gc")
"""The settings that an import may change without any harm to the next test."""


SET_FOR_EACH_TEST = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__", "argv")
"""Members of `sys` that the runner sets before each test."""


class ProcessWatch:
    """Tells after each test of a program that runs alone whether the next test needs a fresh process."""

    def __init__(self, libraries: Libraries, module: str) -> None:
        """`module`: the name under which the program is in `sys.modules`."""
        self.libraries, self.settings, self.surroundings, self.module = libraries, settings(), surroundings(), module
        self.members = {name: vars(sys)[name] for name in SET_FOR_EACH_TEST}

    def changed(self) -> bool:
        """Returns whether the process differs from what it was, apart from modules that the program has imported."""
        try:
            vars(sys).update(self.members)
            sys.modules.pop(self.module, None)
            now = settings()
            if now["modules"] != self.settings["modules"]:
                now |= {name: self.settings[name] for name in IMPORTED}
            return bool(difference(self.libraries, self.settings, now)) or surroundings() != self.surroundings
        except Exception:
            return True


def surroundings() -> tuple[object, ...]:
    """Returns what a program may have changed outside the interpreter: folder, files, environment, child processes."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        has_children = True
    except ChildProcessError:
        has_children = False
    return os.getcwd(), os.stat(".").st_mtime_ns, dict(os.environ), has_children


def settings() -> dict[str, object]:
    """Returns the settings of the interpreter that a program could change."""
    context = decimal.getcontext()
    free = os.dup(REPORT_DESCRIPTOR)
    os.close(free)
    return {
        "modules": len(sys.modules),
        "recursion limit": sys.getrecursionlimit(),
        "trace": (sys.gettrace(), sys.getprofile()),
        "gc": (gc.get_threshold(), len(gc.callbacks), gc.isenabled()),
        "threads": len(sys._current_frames()),
        "signals": [signal.getsignal(number) for number in _SIGNALS],
        "decimal": (context.prec, context.rounding, context.Emin, context.Emax, list(context.traps.values())),
        "warnings": (id(warnings.filters), len(warnings.filters)),
        "atexit": atexit._ncallbacks(),
        "descriptors": free,
        "path": len(sys.path),
    }
