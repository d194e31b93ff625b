"""Tests of the sandbox as its callers see it."""

import asyncio

import pytest
from tests.integration.sandbox_runner.sandbox_calls import as_tests, results_of

from ucoder.core.test_plans import Test
from ucoder.errors import Misconfigured, Overloaded, Reject
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_results_say_what_programs_did(sandbox: Sandbox) -> None:
    programs = ("def f(x): return x + 1", "def f(x): return [x]", "def f(x): raise ValueError('no')", "def f(x) return")
    results = await results_of(
        sandbox, SandboxJob(programs, as_tests("assert f(1) == 2", "f(4)", "assert not f(0)"), "f")
    )
    assert [[str(one) for one in row.outcomes] for row in results] == [
        ["passed", "returned", "failed"],
        ["failed", "returned", "failed"],
        ["exception"] * 3,
        ["exception"] * 3,
    ]
    assert [row.outputs[1] for row in results[:3]] == ["5", "[4]", "!ValueError: no"]
    assert str(results[3].outputs[0]).startswith("!SyntaxError")


async def test_identical_programs_run_once_and_count(sandbox: Sandbox) -> None:
    program = "def f(): return 'once'"
    results = await results_of(sandbox, SandboxJob((program, "def f(): return 2", program), as_tests("f()"), "f"))
    assert [(row.program, row.duplicates) for row in results] == [(0, 2), (1, 1), (2, 2)]
    again = await results_of(sandbox, SandboxJob((program,), as_tests("f()"), "f"))
    assert again[0].cached
    assert again[0].outputs == ("'once'",)


async def test_script_reads_and_prints(sandbox: Sandbox) -> None:
    case = Test(stdin="3\n4\n", expected_stdout="7\n")
    programs = (
        "print(int(input()) + int(input()))",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))\nsys.exit(0)",
        "import os\nos.write(1, str(sum(map(int, os.read(0, 99).split()))).encode())",
        "print(8)",
        "import sys\nprint(7)\nsys.exit(3)",
        "if __name__ == '__main__': print(7)",
        "if __name__ is '__main__': print(7)",  # the name is equal to the literal, and not the same object
    )
    results = await results_of(sandbox, SandboxJob(programs, (case,)))
    outcomes = ["passed", "passed", "passed", "failed", "exception", "passed", "failed"]
    assert [str(row.outcomes[0]) for row in results] == outcomes


async def test_leaving_the_iteration_stops_the_work(sandbox: Sandbox) -> None:
    programs = tuple(f"def f():\n    while True: pass\n# {number}" for number in range(200))
    job = SandboxJob(
        (*programs, "def f(): return 1"), as_tests("f()"), "f", limits=Limits(cpu_seconds=0.3, wall_seconds=1.5)
    )
    stream = sandbox.execute(job)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        [row] = await results_of(sandbox, SandboxJob(("def f(): return 'after'",), as_tests("f()"), "f"))
    assert row.outputs == ("'after'",)


async def test_full_queue_is_overload(sandbox: Sandbox) -> None:
    async with Sandbox.open(isolation=sandbox.isolation, cells=1, queue=2) as small:
        with pytest.raises(Overloaded):
            await results_of(small, SandboxJob(("1", "2", "3"), as_tests("f()"), "f"))
        assert len(await results_of(small, SandboxJob(("4", "5"), as_tests("f()"), "f"))) == 2


async def test_unknown_names_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(Reject):
        await results_of(sandbox, SandboxJob(("1",), as_tests("f()"), "f", language="cobol"))
    with pytest.raises(Misconfigured):
        async with Sandbox.open(isolation="hope"):
            pass


async def test_a_long_queue_does_not_hold_up_another(sandbox: Sandbox) -> None:
    """Runs many calls of the service and a few messages of the bus: their queues take turns."""
    ended: list[str] = []

    async def execute_one(queue: str, number: int) -> None:
        job = SandboxJob(
            (f"import time\ndef f():\n    time.sleep(0.01)\n    return '{queue} {number}'",), as_tests("f()"), "f"
        )
        [_] = [row async for row in sandbox.execute(job, queue)]
        ended.append(queue)

    calls = [asyncio.create_task(execute_one("calls", number)) for number in range(40)]
    while not ended:
        await asyncio.sleep(0.001)
    for number in range(3):  # one after the other, as one worker of the bus does
        await execute_one("bus", number)
    assert ended.count("calls") < 20
    await asyncio.gather(*calls)
    assert (ended.count("calls"), ended.count("bus")) == (40, 3)
