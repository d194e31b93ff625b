"""The house rules: tree, table and lists say the same, and nobody reaches across the hall."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from ucoder.flow import BRIEF_KINDS, FLOW, KINDS, SERVICES, arrows_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "services" / "ucoder"
TORCH_FILES = {
    f"models/{name}.py" for name in ("checkpoint", "decoding", "drawing", "kv_cache", "plain_generate", "worker")
}
TORCH_FILES |= {f"trainer/{name}.py" for name in ("company", "launch", "sft", "training", "worker")}


def imports(path: Path) -> set[str]:
    """Modules that a file imports, wherever in it, with relative ones made absolute."""
    package = path.relative_to(PACKAGE.parent).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            found.add(start + (node.module or ""))
    return found


def sources() -> list[Path]:
    return [p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] != "v1"]


def test_every_arrow_has_its_module_and_every_such_module_its_arrow() -> None:
    on_disk = {f"ucoder.{p.parent.name}.{p.stem}" for p in PACKAGE.glob("*/*_to_*.py")}
    assert on_disk == {arrow.module for arrow in FLOW}


@pytest.mark.parametrize("arrow", FLOW, ids=lambda arrow: arrow.name)
def test_a_stage_takes_its_service_its_source_and_the_run(arrow) -> None:
    run = importlib.import_module(arrow.module).run
    assert inspect.iscoroutinefunction(run)
    assert len(inspect.signature(run).parameters) == 3


def test_the_arrows_join_up_and_every_kind_is_eaten_once() -> None:
    eaten = [arrow.source for arrow in FLOW]
    assert sorted(eaten) == sorted(KINDS)
    assert {arrow.product for arrow in FLOW} == set(KINDS) - {"run"}
    assert set(KINDS) >= BRIEF_KINDS


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_door_and_an_arrow(service: str) -> None:
    module = importlib.import_module(f"ucoder.{service}.service")
    assert module.NAME.startswith("ucoder.v1.")
    assert arrows_of(service)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nobody_imports_what_is_not_his(path: Path) -> None:
    place = path.relative_to(PACKAGE)
    part = place.parts[0]
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("ucoder.")}
    foreign = {name.split(".")[0] for name in imports(path)} - {"ucoder"}
    if part == "core":
        assert ours <= {"core"}
        drawing = {"hypothesis"} if place.name == "drawing.py" else set()
        assert foreign <= set(sys.stdlib_module_names) | {"numpy"} | drawing
    elif part == "runtime":
        assert ours <= {"runtime", "flow", "v1", "models"}
    elif part == "models":
        assert ours <= {"models", "runtime", "core", "v1"}
    elif part in SERVICES:
        shared = {"core", "runtime", "models", "flow", "v1", part}
        assert ours <= (shared | {"seed"} if part == "evaluator" else shared)
    if "torch" in foreign:
        assert str(place) in TORCH_FILES or part == "seed"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_the_readme_shows_the_table() -> None:
    readme = (ROOT / "README.md").read_text()
    for arrow in FLOW:
        assert f"| {arrow.service} | {arrow.source} -> {arrow.product} |" in readme


def test_the_command_line_starts_without_torch() -> None:
    heavy = "import sys, ucoder.cli, ucoder.runtime.app, ucoder.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0
