"""The sandbox image under real gVisor: what is in it, the cell container as the chart starts it, and every attack of
tests/security once more inside it.
"""

import asyncio
import os
from pathlib import Path

from tests.helm.cells import call
from tests.security.test_break_outs import *  # noqa: F403
from tests.security.test_forged_verdicts import *  # noqa: F403

from .conftest import GVISOR, RESTRICTED, Images


async def test_the_image_has_the_interpreters_and_nothing_else(sandbox_root: Path) -> None:
    programs = {path.name for path in sandbox_root.rglob("*") if path.is_file() and os.access(path, os.X_OK)}
    programs = {name for name in programs if ".so" not in name}
    assert {"node", "python3.11"} <= programs
    assert not {"sh", "bash", "dash", "busybox", "curl", "wget", "apt", "dpkg", "pip", "perl", "nc", "ssh"} & programs
    assert not list(sandbox_root.rglob("site-packages"))
    assert not list(sandbox_root.rglob("pip.conf"))


async def test_the_cell_container_runs_programs_and_none_has_a_network(images: Images, tmp_path: Path) -> None:
    """Its first process under gVisor, unprivileged; two runners one after the other; nothing left in between."""
    folder = tmp_path / "socket"
    folder.mkdir()
    folder.chmod(0o777)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    name = f"ucoder-cell-{os.getpid()}"
    process = await asyncio.create_subprocess_exec(
        "podman", *GVISOR, "--runtime-flag=host-uds=all", "run", "--name", name, *RESTRICTED, "--network=none",
        "-v", f"{folder}:/run/ucoder", "localhost/ucoder-sandbox:0.1.0", env=images.environment,
    )  # fmt: skip
    source = """
import ctypes, os
def f(x):
    open('/tmp/left', 'w').write('x')
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(41, 2, 1, 0), ctypes.get_errno(), os.getuid(), sorted(os.listdir('/run/ucoder')), x
def g():
    return os.path.exists('/tmp/left')
"""
    try:
        first = await call(folder / "cell.sock", source, ["g()", "f(7)"])
        second = await call(folder / "cell.sock", source, ["g()"])
    finally:
        stop = await asyncio.create_subprocess_exec(
            "podman", "stop", "-t", "5", name, env=images.environment, stdout=asyncio.subprocess.DEVNULL
        )
        await stop.wait()
        await process.wait()
    assert [one.text for one in first if one] == ["False", "(-1, 13, 10002, ['cell.sock'], 7)"]
    assert [one.text for one in second if one] == ["False"]
