"""Tests of cells that die, hang or lose their host, and of a fork that dies while it waits."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.sandbox_runner.sandbox_calls import as_tests, results_of

from ucoder.core.outcomes import Outcome
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_dead_cell_is_replaced_and_its_work_runs_again(sandbox: Sandbox) -> None:
    """Kills cells from outside while they work, as the kernel does when memory runs out."""
    others = below(os.getpid())
    async with Sandbox.open(isolation=sandbox.isolation, cells=2) as damaged:
        programs = tuple(f"import time\ndef f():\n    time.sleep(0.05)\n    return {number}" for number in range(20))
        stream = damaged.execute(SandboxJob(programs, as_tests("f()"), "f"))
        results = [await anext(stream)]
        killed = below(os.getpid()) - others
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):  # the end of one takes others along
                os.kill(pid, signal.SIGKILL)
        results += [row async for row in stream]
    assert killed
    assert {row.outcomes for row in results} == {(Outcome.RETURNED,)}
    assert sorted(int(str(row.outputs[0])) for row in results) == list(range(20))


async def test_a_hanging_cell_is_replaced_and_its_work_runs_again(sandbox: Sandbox) -> None:
    """Stops cells from outside while they work, so that they fall silent, as gVisor does when its memory is gone."""
    others = below(os.getpid())
    async with Sandbox.open(isolation=sandbox.isolation, cells=1) as damaged:
        programs = tuple(f"import time\ndef f():\n    time.sleep(0.05)\n    return {number}" for number in range(6))
        limits = Limits(cpu_seconds=0.3, wall_seconds=1.0)
        stream = damaged.execute(SandboxJob(programs, as_tests("f()"), "f", limits=limits))
        results = [await anext(stream)]
        stopped = below(os.getpid()) - others
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        results += [row async for row in stream]
        left = [pid for pid in stopped if living(pid)]
    assert sorted(int(str(row.outputs[0])) for row in results) == list(range(6))
    assert stopped
    assert not left


async def test_nothing_survives_when_the_host_is_killed(sandbox: Sandbox) -> None:
    """Checks that SIGKILL leaves neither a process nor a folder."""
    code = (
        "import asyncio, sys\nfrom ucoder.sandbox_runner.sandbox import Sandbox\n"
        "from ucoder.sandbox_runner.sandbox_job import SandboxJob\nfrom ucoder.core.test_plans import Test\n"
        "async def main():\n"
        f"    async with Sandbox.open(isolation={sandbox.isolation!r}, cells=1) as sandbox:\n"
        "        print(sandbox.pool.folder, flush=True)\n"
        "        async for row in sandbox.execute(SandboxJob(('import time\\ndef f(): time.sleep(99)',),\n"
        "                                                    (Test('f()'),), 'f')): pass\n"
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


async def test_a_fork_that_dies_while_it_waits_is_made_again() -> None:
    """Runs without a boundary, so that the fork can be seen and killed from here."""
    others = below(os.getpid())
    async with Sandbox.open(isolation="none", cells=1) as sandbox:
        _, waiting = sorted(below(os.getpid()) - others)
        os.kill(waiting, signal.SIGKILL)
        [row] = await results_of(sandbox, SandboxJob(("def f(): return 'again'",), as_tests("f()"), "f"))
    assert row.outputs == ("'again'",)


def living(pid: int) -> bool:
    """Returns whether a process runs or could run again. A dead one stays listed until its parent waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def below(parent: int) -> set[int]:
    """Returns the descendants of a process, without cleanup processes. Reads the parent of every process, because the
    kernel's lists of children may miss some while others start and end.
    """
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if b"ucoder-orphan-cleanup" not in (entry / "cmdline").read_bytes():
                    parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    descendants, newest = set(), {parent}
    while newest:
        newest = {pid for pid, of in parents.items() if of in newest}
        descendants |= newest
    return descendants


async def test_a_command_that_is_told_to_end_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Sends SIGTERM, as a job's time limit does: it cleans up like Ctrl-C."""
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
