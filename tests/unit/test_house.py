"""The tree, the layers and the tables of `flow` agree with each other, and no module imports from a higher layer."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from ucoder.flow import BRIEF_KINDS, CALLS, FLOW, KINDS, SERVICES, arrows_of
from ucoder.runtime.peers import Peers

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "services" / "ucoder"
BASE = {"errors", "flow", "v1"}
SERVICE = BASE | {"core", "runtime", "models"}
PROGRAM = SERVICE | {"client", "seed", *SERVICES}
LAYERS: dict[str, set[str]] = {
    "core": {"core"},
    "runtime": BASE | {"runtime"},
    "models": BASE | {"core", "runtime", "models"},
    **{service: SERVICE | {service} for service in SERVICES},
    "client": {"client", "errors", "v1"},
    "gateway": BASE | {"core", "runtime", "client", "gateway"},
    "cli/shared": PROGRAM | {"cli/shared"},
    "bench": PROGRAM | {"cli/shared", "bench"},
    "cli": PROGRAM | {"gateway", "bench", "cli/shared", "cli"},
    "seed": {"core", "seed"},
    ".": {"cli", "errors"},
}
"""What each folder of the package may import of the package: the lowest layers first."""
EXCEPTIONS = {
    ("client/rewards.py", "core"),  # programs are cut out of completions by the rule that the evaluator uses
    ("evaluator/row_precision.py", "seed"),  # the right answers of the seed's grammar, known to reports alone
}
TORCH = ("models/local/", "trainer/")
"""Only these folders may import torch, so that no other process loads it."""
THIN = {"grpc", "google"}
"""What the client imports beside the standard library: the base install holds nothing else."""


def imports(path: Path) -> set[str]:
    """Returns the modules that a file imports anywhere, relative imports made absolute."""
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


def test_the_arrows_join_up_and_every_kind_is_consumed_once() -> None:
    consumed = [arrow.source for arrow in FLOW]
    assert sorted(consumed) == sorted(KINDS)
    assert {arrow.product for arrow in FLOW} == set(KINDS) - {"run"}
    assert set(KINDS) >= BRIEF_KINDS


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_grpc_service_and_an_arrow(service: str) -> None:
    module = importlib.import_module(f"ucoder.{service}.service")
    assert module.NAME.startswith("ucoder.v1.")
    assert arrows_of(service)


def layer_of(name: str) -> str:
    """Returns the key of LAYERS for a module `ucoder.a.b.c` or a path `a/b/c.py`: the longest folder that has one."""
    parts = name.removeprefix("ucoder.").removesuffix(".py").replace(".", "/").split("/")
    folders = ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((folder for folder in folders if folder in LAYERS), parts[0] if parts[0] in BASE else ".")


def test_the_layers_cover_every_folder() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name not in ("v1", "__pycache__")}
    assert folders == {layer.split("/")[0] for layer in LAYERS} - {"."}
    assert len(EXCEPTIONS) <= 3


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_from_its_own_layer_and_those_below(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    layer = layer_of(place)
    ours = {layer_of(name) for name in imports(path) if name.startswith("ucoder.")}
    foreign = {name.split(".")[0] for name in imports(path)} - {"ucoder"}
    allowed = LAYERS.get(layer, BASE)
    assert {one for one in ours - allowed if (place, one) not in EXCEPTIONS} == set()
    if layer == "core":
        drawing = {"hypothesis"} if path.name == "input_drawing.py" else set()
        assert foreign <= set(sys.stdlib_module_names) | {"numpy"} | drawing
    if layer == "client":
        assert foreign <= set(sys.stdlib_module_names) | THIN
    if "torch" in foreign:
        assert place.startswith(TORCH)
    if place != "cli/bench.py":
        assert "ucoder_development" not in foreign


@pytest.mark.parametrize("folder", sorted({path.parent for path in sources()}), ids=lambda p: p.name)
def test_a_folder_holds_few_enough_modules_to_read_its_list(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= (25 if folder.name in ("core", "runtime") else 15)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_calls_between_services_are_those_of_the_table() -> None:
    named = {"sandbox": "sandbox_runner", "consensus": "consensus", "test_synth": "test_synth"}
    stubs = {name for name, member in inspect.getmembers(Peers) if isinstance(member, property)}
    assert stubs == set(named)
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in named
                and ast.unparse(node.value).rpartition(".")[2].lstrip("_") == "peers"
            ):
                found.add((path.relative_to(PACKAGE).parts[0], named[node.attr]))
    assert found == {(call.caller, call.callee) for call in CALLS}
    assert len(found) == len(CALLS)
    assert all(call.purpose[0].isupper() and call.purpose.endswith(".") for call in CALLS)
    assert "sandbox_runner" not in {call.caller for call in CALLS}
    assert not any((callee, caller) in found for caller, callee in found)


def test_the_readme_shows_the_table() -> None:
    readme = (ROOT / "README.md").read_text()
    for arrow in FLOW:
        assert f"| {arrow.service} | {arrow.source} -> {arrow.product} |" in readme


def test_the_command_line_starts_without_torch() -> None:
    heavy = "import sys, ucoder.cli, ucoder.runtime.app, ucoder.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0
