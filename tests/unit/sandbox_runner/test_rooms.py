"""Tests of the rooms of the sandbox: each imports only what its trust allows."""

import ast
import sys
from pathlib import Path

import pytest

import ucoder.sandbox_runner

PACKAGE = Path(ucoder.sandbox_runner.__file__).parent
TYPES = {"core", "errors", "sandbox_job", "run_job", "outcome_table"}
ALLOWED = {
    "guest": {"guest", "core.values"},
    "isolation": {"isolation", "errors", "runtime.atomic"},
    "languages": {"languages", "isolation", "core", "errors"},
    "host": TYPES | {"host", "isolation", "guest", "languages.commands"},
    "judging": TYPES | {"judging", "host", "guest"},
}
"""By room, what its modules may import of the package, names below sandbox_runner without that prefix."""


def imported(path: Path) -> set[str]:
    """Returns the modules that a file imports, a package's parts as modules of their own."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {f"{node.module}.{alias.name}" for alias in node.names}
    return modules


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/*.py")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_room_imports_what_its_trust_allows(path: Path) -> None:
    ours = {name.removeprefix("ucoder.") for name in imported(path) if name.startswith("ucoder.")}
    rooms = {name.removeprefix("sandbox_runner.") for name in ours}
    allowed = ALLOWED[path.parent.name]
    assert {name for name in rooms if not any(f"{name}.".startswith(f"{room}.") for room in allowed)} == set()
    if path.parent.name == "guest":
        foreign = {name.split(".")[0] for name in imported(path)} - {"ucoder"}
        assert foreign <= set(sys.stdlib_module_names)


def test_every_folder_is_a_room() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/*.py")} == set(ALLOWED)
