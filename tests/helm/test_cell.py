"""Tests the first process of a cell container, without gVisor. tests/images runs it under runsc."""

import asyncio
import contextlib
import errno
import os
import platform
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ucoder.sandbox_runner.host.cell import CellLost
from ucoder.sandbox_runner.isolation import root_filesystem

from .cells import call
from .chart import ROOT


@pytest.fixture
async def cell(tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a cell process that listens."""
    address, scratch = tmp_path / "socket" / "cell.sock", tmp_path / "scratch"
    for folder in (address.parent, scratch):
        folder.mkdir()
    guest = root_filesystem.compose(tmp_path / "root").guest
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(ROOT / "deploy" / "cell.py"), str(address), str(guest),
        env={"PATH": "/usr/bin:/bin", "SCRATCH": str(scratch), "SECRET": "x"}, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert b"listening" in await process.stderr.readline()
    yield address
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def test_it_runs_programs_for_one_runner_after_another(cell: Path) -> None:
    for _ in range(2):
        results = await call(cell, "def f(x):\n    return x + 1\n", ["f(1)", "f(41)"], jobs=2)
        assert [(one.status, one.text) for one in results if one] == [("ok", "2"), ("ok", "42")]


async def test_a_program_is_alone(cell: Path) -> None:
    """A program sees no process but its parent, no environment of the container, no socket and no file of another."""
    source = f"""
import os

def f():
    try:
        open('../left', 'w').close()  # where the container has no other user to give
    except PermissionError:
        pass
    seen = [pid for pid in range(2, 2000) if pid != os.getpid() and not gone(pid)]
    return seen, listed({str(cell.parent)!r}), listed('/proc'), 'SECRET' in os.environ

def listed(path):
    try:
        return os.listdir(path)
    except PermissionError:
        return []

def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True

def g():
    return os.path.exists('../left')
"""
    for _ in range(2):
        results = await call(cell, source, ["g()", "f()"])
        assert [one.text for one in results if one] == ["False", "([], [], [], False)"]


async def test_outside_gvisor_nothing_is_sent_to_it(cell: Path) -> None:
    with pytest.raises(CellLost, match="does not run under gVisor"):
        await call(cell, "def f(): pass", ["f()"], anywhere=False)


async def test_no_program_gets_a_socket(cell: Path) -> None:
    number = {"x86_64": 41, "aarch64": 198}[platform.machine()]
    source = f"""
import ctypes

def f(family):
    done = ctypes.CDLL(None, use_errno=True).syscall({number}, family, 1, 0)
    return done, ctypes.get_errno()
"""
    results = await call(cell, source, [f"f({int(one)})" for one in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)])
    assert {one.text for one in results if one} == {f"(-1, {errno.EACCES})"}


async def test_the_runner_chooses_the_seed_of_hashes(cell: Path) -> None:
    said = [await call(cell, "def f():\n    return hash('x')\n", ["f()"], seed=seed) for seed in (1, 1, 2)]
    assert said[0][0].text == said[1][0].text != said[2][0].text
