"""Cells that die, hang, or outlive us; and the fork that waits in one."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.sandbox.ground import asks, rows

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.host.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_dead_cell_is_replaced_and_its_work_done_again(sandbox: Sandbox) -> None:
    """Cells are killed from outside while they work, as the kernel does when memory runs out."""
    others = below(os.getpid())
    async with Sandbox.open(isolation=sandbox.isolation, cells=2) as wounded:
        programs = tuple(f"import time\ndef f():\n    time.sleep(0.05)\n    return {number}" for number in range(20))
        stream = wounded.execute(SandboxJob(programs, asks("f()"), "f"))
        found = [await anext(stream)]
        killed = below(os.getpid()) - others
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):  # the end of one takes others along
                os.kill(pid, signal.SIGKILL)
        found += [row async for row in stream]
    assert killed
    assert {row.outcomes for row in found} == {(Outcome.RETURNED,)}
    assert sorted(int(str(row.outputs[0])) for row in found) == list(range(20))


async def test_hanging_cell_is_found_and_replaced_and_its_work_done_again(sandbox: Sandbox) -> None:
    """Cells are stopped from outside while they work: they say nothing, as gVisor when its memory is gone."""
    others = below(os.getpid())
    async with Sandbox.open(isolation=sandbox.isolation, cells=1) as wounded:
        programs = tuple(f"import time\ndef f():\n    time.sleep(0.05)\n    return {number}" for number in range(6))
        limits = Limits(cpu_seconds=0.3, wall_seconds=1.0)
        stream = wounded.execute(SandboxJob(programs, asks("f()"), "f", limits=limits))
        found = [await anext(stream)]
        stopped = below(os.getpid()) - others
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        found += [row async for row in stream]
        left = [pid for pid in stopped if living(pid)]
    assert sorted(int(str(row.outputs[0])) for row in found) == list(range(6))
    assert stopped
    assert not left


async def test_nothing_survives_when_we_are_killed(sandbox: Sandbox) -> None:
    """SIGKILL leaves neither a process nor a folder."""
    code = (
        "import asyncio, sys\nfrom ucoder.sandbox_runner.host.sandbox import Sandbox\n"
        "from ucoder.sandbox_runner.sandbox_job import Job\nfrom ucoder.core.test_plans import TestCase\n"
        "async def main():\n"
        f"    async with Sandbox.open(isolation={sandbox.isolation!r}, cells=1) as sandbox:\n"
        "        print(sandbox.pool.folder, flush=True)\n"
        "        async for row in sandbox.execute(Job(('import time\\ndef f(): time.sleep(99)',),\n"
        "                                             (TestCase('f()'),), 'f')): pass\n"
        "asyncio.run(main())"
    )
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "services")}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE, env=paths)
    assert process.stdout is not None
    folder = (await process.stdout.readline()).decode().strip()
    await asyncio.sleep(0.5)
    started = below(process.pid)
    assert started
    process.kill()
    await process.wait()
    async with asyncio.timeout(15):
        while Path(folder).exists() or any(map(living, started)):
            await asyncio.sleep(0.1)


async def test_fork_that_dies_while_it_waits_is_made_again() -> None:
    """Without a boundary around it, so that it can be seen and killed from here."""
    others = below(os.getpid())
    async with Sandbox.open(isolation="none", cells=1) as sandbox:
        _, waiting = sorted(below(os.getpid()) - others)
        os.kill(waiting, signal.SIGKILL)
        [row] = await rows(sandbox, SandboxJob(("def f(): return 'again'",), asks("f()"), "f"))
    assert row.outputs == ("'again'",)


def living(pid: int) -> bool:
    """Whether a process runs or could run again: one that is dead stays listed until its new parent looks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def below(parent: int) -> set[int]:
    """Processes that descend from this one, but no warden. By everybody's parent, for what the kernel lists as a
    process' children may leave out some while others come and go."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if b"ucoder-warden" not in (entry / "cmdline").read_bytes():
                    parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found, newest = set(), {parent}
    while newest:
        newest = {pid for pid, of in parents.items() if of in newest}
        found |= newest
    return found


async def test_a_command_that_is_told_to_end_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGTERM, as from a job's time limit, cleans up like Ctrl-C."""
    (tmp_path / "temporary").mkdir()
    programs = [{"code": f"import time\ndef f(): time.sleep({seconds})"} for seconds in range(90, 99)]
    question = {"id": "a", "entry_point": "f", "candidates": programs, "tests": [{"code": "f()"}]}
    (tmp_path / "in.jsonl").write_text(json.dumps(question) + "\n")
    paths = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "services"), "TMPDIR": str(tmp_path / "temporary")
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ucoder", "execute", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl"),
        "--isolation", sandbox.isolation, "--cells", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=paths,
    )  # fmt: skip
    async with asyncio.timeout(30):
        while not (started := below(process.pid)):
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    process.terminate()
    output, errors = await process.communicate()
    assert process.returncode == 143, errors
    assert not output
    assert not list(tmp_path.glob("out*"))
    async with asyncio.timeout(15):
        while list((tmp_path / "temporary").iterdir()) or any(map(living, started)):
            await asyncio.sleep(0.1)
