"""Tests of the sandbox image under real gVisor: its content, and every attack of tests/security on its cell container.

The container starts as the chart starts it: without root, without a capability, reached by its socket.
"""

import importlib
import inspect
import os
from pathlib import Path

import pytest
from tests.helm.cells import call

from .conftest import AttackedCell, CellContainer

pytestmark = pytest.mark.asyncio(loop_scope="session")

DIFFERENT_HERE = {
    "test_files_of_this_machine_are_not_there", "test_root_is_read_only", "test_user_has_no_rights",
}  # fmt: skip
for path in sorted((Path(__file__).parents[1] / "security").glob("test_*.py")):
    for name, test in vars(importlib.import_module(f"tests.security.{path.stem}")).items():
        if name.startswith("test_") and name not in DIFFERENT_HERE and "cell" in inspect.signature(test).parameters:
            globals()[f"{path.stem}_{name.removeprefix('test_')}"] = test


async def test_the_image_has_the_interpreters_and_nothing_else(sandbox_root: Path) -> None:
    programs = {path.name for path in sandbox_root.rglob("*") if path.is_file() and os.access(path, os.X_OK)}
    programs = {name for name in programs if ".so" not in name}
    assert {"node", "python3.11"} <= programs
    assert not {"sh", "bash", "dash", "busybox", "curl", "wget", "apt", "dpkg", "pip", "perl", "nc", "ssh"} & programs
    assert not list(sandbox_root.rglob("site-packages"))
    assert not list(sandbox_root.rglob("pip.conf"))


async def test_files_of_this_machine_are_not_there(cell: AttackedCell) -> None:
    """Repeats a test of tests/security with one difference: an engine makes an empty folder /run in each container."""
    wanted = [str(Path.home()), "/root", "/home", "/etc/shadow", "/etc/ssh", "/usr/bin", "/mnt", str(Path(__file__))]
    assert await cell.text_from(f"    return [path for path in {wanted} if os.path.exists(path)]") == "[]"
    listed = await cell.text_from("    return [os.listdir(path) for path in ('/run', '/var') if os.path.exists(path)]")
    assert listed in ("[[]]", "[[], []]", "[]")


async def test_user_has_no_rights(cell: AttackedCell) -> None:
    """Repeats a test of tests/security with one difference: the container's own group is the only one."""
    said = await cell.text_from("    return [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]")
    assert said in ("[20000, 20000, 20000, [20000]]", "[20000, 20000, 20000, []]")


async def test_root_is_read_only(cell: AttackedCell) -> None:
    """Repeats a test of tests/security with one difference: a restricted container has no second user, so its programs
    own /tmp, which is empty before each.
    """
    paths = ("/a", "/python/a", "/guest/a", "/guest/ucoder/__init__.py", "/etc/a", "/dev/a", "/socket/a", "/cell.py")
    tried = (
        "    done = []\n"
        f"    for path in {paths}:\n"
        "        try: open(path, 'a').write('x'); done.append(path)\n"
        "        except OSError: pass\n"
        "    open('/tmp/a', 'w').close()\n"
        "    return done"
    )
    assert await cell.text_from(tried) == "[]"
    assert await cell.text_from("    return [name for name in os.listdir('/tmp') if not name.isdecimal()]") == "[]"


async def test_the_cell_container_serves_one_runner_after_the_other(cell_container: CellContainer) -> None:
    source = """
import ctypes, os
def f(x):
    open('/tmp/left', 'w').write('x')
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(41, 2, 1, 0), ctypes.get_errno(), os.getuid(), os.listdir('/socket'), os.listdir('/proc'), x
def g():
    return os.path.exists('/tmp/left')
"""
    async with cell_container.started() as places:
        for _ in range(2):
            results = await call(places / "cell-0" / "cell.sock", source, ["g()", "f(7)"], anywhere=False)
            assert [one.text for one in results if one] == ["False", "(-1, 13, 20000, [], [], 7)"]
