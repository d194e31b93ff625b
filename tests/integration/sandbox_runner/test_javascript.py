"""Tests of JavaScript programs: they are judged outside, and do the same in every run."""

import pytest
from tests.integration.sandbox_runner.sandbox_calls import results_of

from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import Limits, SandboxJob

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_javascript_program_is_judged_outside(sandbox: Sandbox) -> None:
    case = Test(
        "let candidate = f;\nassert.deepEqual(candidate([1, 2]), [2, 4]);\nassert.deepEqual(candidate([]), []);"
    )
    programs = (
        "function f(a) { return a.map(x => 2 * x) }",
        "function f(a) { return a }",
        "function f(a) { while (true) {} }",
        "function f(a) { process.exit(0) }",
        "function f(a) { require('fs').writeSync(200, 'passed'); require('process').exit(0) }",
        "function f(a) { return { valueOf() { return true }, length: 2 } }",
        "Array.prototype.map = null; JSON.stringify = () => 'passed'; function f(a) { throw new TypeError('x') }",
    )
    results = await results_of(
        sandbox, SandboxJob(programs, (case,), "f", language="javascript", limits=Limits(cpu_seconds=1))
    )
    assert [str(row.outcomes[0]) for row in results] == [
        "passed",
        "failed",
        "timeout_cpu",
        "exception",
        "crashed",
        "failed",
        "exception",
    ]


async def test_a_javascript_program_does_the_same_in_every_run(sandbox: Sandbox) -> None:
    programs = (
        "const f = () => [Math.random(), new Date().getFullYear(), Math.floor(Date.now() / 1e6), typeof Date()]",
        "const f = () => new Date(0).toISOString() + new Date(2020, 1, 2).getDate() + (new Date() instanceof Date)",
    )
    first, second, checked = [
        await results_of(
            sandbox, SandboxJob(programs, (Test("f()", n),), language="javascript", check_determinism=n == 3)
        )
        for n in (1, 2, 3)
    ]
    assert [row.outputs for row in first] == [row.outputs for row in second]
    assert [str(row.outcomes[0]) for row in checked] == ["nondeterministic", "returned"]
    assert first[1].outputs == ("'1970-01-01T00:00:00.000Z2true'",)
