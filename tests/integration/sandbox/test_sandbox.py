"""The sandbox as its callers see it, with real cells of every kind this machine has."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ucoder.core.outcomes import Outcome
from ucoder.core.test_cases import TestCase
from ucoder.runtime.errors import Misconfigured, Overloaded, Reject
from ucoder.sandbox_runner.job import Job, Limits, Row
from ucoder.sandbox_runner.kinds import probe
from ucoder.sandbox_runner.load import family
from ucoder.sandbox_runner.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")
USABLE = [name for name, usable, _ in probe() if usable and name != "none"]
QUICK = Limits(cpu_seconds=0.3, wall_seconds=1.5)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=USABLE)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with Sandbox.open(isolation=request.param, cells=2) as opened:
        yield opened


async def rows(sandbox: Sandbox, job: Job) -> list[Row]:
    found = [row async for row in sandbox.execute(job)]
    return sorted(found, key=lambda row: row.program)


def asks(*codes: str) -> tuple[TestCase, ...]:
    return tuple(map(TestCase, codes))


async def test_rows_say_what_programs_did(sandbox: Sandbox) -> None:
    programs = ("def f(x): return x + 1", "def f(x): return [x]", "def f(x): raise ValueError('no')", "def f(x) return")
    found = await rows(sandbox, Job(programs, asks("assert f(1) == 2", "f(4)", "assert not f(0)"), "f"))
    assert [[str(one) for one in row.outcomes] for row in found] == [
        ["passed", "returned", "failed"],
        ["failed", "returned", "failed"],
        ["exception"] * 3,
        ["exception"] * 3,
    ]
    assert [row.outputs[1] for row in found[:3]] == ["5", "[4]", "!ValueError: no"]
    assert str(found[3].outputs[0]).startswith("!SyntaxError")


async def test_identical_programs_run_once_and_count(sandbox: Sandbox) -> None:
    program = "def f(): return 'once'"
    found = await rows(sandbox, Job((program, "def f(): return 2", program), asks("f()"), "f"))
    assert [(row.program, row.duplicates) for row in found] == [(0, 2), (1, 1), (2, 2)]
    again = await rows(sandbox, Job((program,), asks("f()"), "f"))
    assert again[0].cached
    assert again[0].outputs == ("'once'",)


async def test_script_reads_and_prints(sandbox: Sandbox) -> None:
    case = TestCase(stdin="3\n4\n", expected_stdout="7\n")
    programs = (
        "print(int(input()) + int(input()))",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))\nsys.exit(0)",
        "import os\nos.write(1, str(sum(map(int, os.read(0, 99).split()))).encode())",
        "print(8)",
        "import sys\nprint(7)\nsys.exit(3)",
    )
    found = await rows(sandbox, Job(programs, (case,)))
    assert [str(row.outcomes[0]) for row in found] == ["passed", "passed", "passed", "failed", "exception"]


JUDGED = {
    "x = f([1, 2])\nassert x == 3": "passed",
    "for n in range(20):\n    assert f([n, 1]) == n + 1": "passed",
    "def check(g):\n    assert g([1]) == 1\n    assert g([]) == 0\ncheck(f)": "passed",
    "assert sorted([f([3]), f([1])]) == [1, 3]": "passed",
    "assert f([f([1]), 2]) == 3": "passed",
    "try:\n    f(None)\nexcept TypeError as error:\n    assert 'iterable' in str(error)\nelse: assert 0": "passed",
    "a = [3, 1]\nput(a, 2)\nassert a == [3, 1, 2]": "passed",
    "assert list(count(3)) == [0, 1, 2]": "passed",
    "given = {'b': 1, 'a': 2}\nassert keys(given) == ['b', 'a']\nassert keys({'z': 1, 'y': 2}) == ['z', 'y']": "passed",
    "given = {'a': 1, 'b': 2}\nturn(given)\nassert list(given) == ['b', 'a'] and given == {'a': 1, 'b': 2}": "passed",
    "assert list(turn(turn({'a': 1, 'b': 2}))) == ['a', 'b']": "passed",
    "assert apply('<=0>', 1) == 2": "exception",
    "a = []\na.append(a)\nassert f(a) == 1": "unsupported",
    "s = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2 and s.size == 1 and len(s) == 1": "passed",
    "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f([1]), 1)": "passed",
    "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f([1]), 2)": "failed",
    "assert f([1]) == 1\nassert f([2]) == 1": "failed",
    "assert Stack() == Stack()": "unsupported",
    "s = Stack()\ns.items += [5]\nassert 5 in s": "unsupported",
    "s = Stack()\ns.push(5)\nassert 5 in s and 6 not in s and s[0] == 5 and repr(s) == 'Stack of 1' and s": "passed",
    "assert not Stack() and isinstance(Stack(), Stack) and (Stack() + 2).size == 2": "passed",
    "assert isinstance(f([1]), Stack)": "unsupported",
    "g = count(1)\nassert next(g) == 0\ntry: next(g)\nexcept StopIteration: pass\nelse: assert 0": "passed",
    "try: Stack().pop()\nexcept Empty as error: assert str(error) == 'none'\nelse: assert 0": "passed",
    "try: put(1, 2)\nexcept Empty: pass": "exception",
    "assert isclose(f([0.1, 0.2]), 0.3) and Counter([f([1])]) == {1: 1} and Decimal(f([1])) == 1": "passed",
    "assert_equal(f([1]), 1)": "unsupported",
    "check(f)": "unsupported",
    "assert count.__globals__": "exception",
    "g = count(1)\nassert g.gi_frame": "unsupported",
    "assert apply(lambda n: n, 1) == 1\nassert True": "unsupported",
    "f([1]) +": "unsupported",
    "while f([1]) == 1: pass": "unsupported",
}


async def test_judge_gives_the_verdict_a_plain_run_would(sandbox: Sandbox) -> None:
    program = """
def f(items): return sum(items)
def put(items, item): items.append(item)
def count(n):
    for number in range(n): yield number
def apply(g, n): return g(n)
def keys(items): return list(items)
def turn(items):
    for key in reversed(list(items)): items[key] = items.pop(key)
    return items
class Empty(Exception): pass
class Stack:
    def __init__(self): self.items = []
    def push(self, item): self.items.append(item)
    def pop(self):
        if not self.items: raise Empty('none')
        return self.items.pop()
    def __repr__(self): return f'Stack of {len(self.items)}'
    def __contains__(self, item): return item in self.items
    def __getitem__(self, at): return self.items[at]
    def __add__(self, n):
        made = Stack()
        made.items = [0] * n
        return made
    def __len__(self): return len(self.items)
    @property
    def size(self): return len(self.items)
"""
    [row] = await rows(sandbox, Job((program,), asks(*JUDGED), "f"))
    assert dict(zip(JUDGED, map(str, row.outcomes), strict=True)) == JUDGED


async def test_compat_runs_the_test_beside_the_program(sandbox: Sandbox) -> None:
    case = "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertIs(f(KEY), KEY)"
    job = Job(("KEY = object()\ndef f(x): return x", "KEY = 1\ndef f(x): return 2"), asks(case), "f", mode="compat")
    assert [str(row.outcomes[0]) for row in await rows(sandbox, job)] == ["passed", "failed"]


async def test_what_changes_from_run_to_run_is_nondeterministic(sandbox: Sandbox) -> None:
    programs = (
        "import random\ndef f(): return random.random()",
        "import random\ndef f(): return random.Random().random()",
        "import os\ndef f(): return os.urandom(4)",
        "def f(): return list({'a', 'b', 'c', 'd', 'e'})",
        "def f(): return hash('text') % 1000003",
        "def f(): return [hash(('a', 1)), {str(n) for n in range(9)}.pop()]",
        "import datetime\ndef f(): return datetime.datetime.now().year, datetime.datetime.now().minute",
        "import time\ndef f(): return int(time.time()) // 1000",
        "import datetime\ndef f(): return datetime.date.today()",
        "def f(): return sorted({'a', 'b'})",
    )
    first = await rows(sandbox, Job(programs, asks("f()"), "f"))
    second = await rows(sandbox, Job(programs, (TestCase("f()", count=2),), "f"))
    same = [one.outputs == other.outputs for one, other in zip(first, second, strict=True)]
    assert same == [number not in (1, 2) for number in range(len(programs))]  # these ask the machine itself
    checked = await rows(sandbox, Job(programs, asks("f()"), "f", check_determinism=True))
    assert [str(row.outcomes[0]) for row in checked] == [*["nondeterministic"] * (len(programs) - 1), "returned"]


LEAVERS = (
    "import builtins\nbuiltins.sum = lambda items: 99\ndef f(x): return sum([x])",
    "import math\nmath.sqrt = lambda x: 7\ndef f(x): return x",
    "import math\nclass A:\n    def set(self): self.pi = 3\ndef f(x):\n    A.set(math)\n    return x",
    "import sys\nsys.setrecursionlimit(50)\ndef f(x): return x",
    "import decimal\ndecimal.getcontext().prec = 2\ndef f(x): return x",
    "import warnings\nwarnings.simplefilter('error')\ndef f(x): return x",
    "import random\nrandom.seed(5)\ndef f(x): return random.random()",
    "import gc\ngc.disable()\ngc.callbacks.append(print)\ndef f(x): return x",
    "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\ndef f(x): return x",
    "held = [open('/dev/null') for _ in range(9)]\ndef f(x): return x",
    "import json\njson.JSONEncoder.default = None\njson.dumps.__defaults__ = ()\ndef f(x): return x",
    "import re\nre._cache.clear()\nre.compile = None\ndef f(x): return x",
    "import functools\nfunctools._lru_cache_wrapper = None\ndef f(x): return x",
    "import sys\nsys.modules['math'] = sys\ndef f(x): return x",
    "import collections\ncollections.Counter.most_common = lambda *a: []\ndef f(x): return x",
    "import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\ndef f(x): return x",
    "import os\nos.environ['LEFT'] = '1'\nos.chdir('/')\ndef f(x): return x",
    "import atexit\natexit.register(print)\ndef f(x): return x",
    "import sys\nsys.stdout = sys.path = None\ndef f(x): return x",
    "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)",
    "count = 0\ndef f(x):\n    global count\n    count += 1\n    return count",
)
WITNESS = """
import collections, decimal, functools, json, math, random, re, warnings
def f(x):
    return [sum([1, 2]), math.sqrt(4), round(math.pi, 3), str(decimal.Decimal(1) / 3), json.dumps([x]), random.random(),
            re.compile('a').pattern, collections.Counter('aab').most_common(1), len(warnings.filters) > 0, x]
# {}
"""


async def test_programs_leave_nothing_for_those_that_share_their_fork(sandbox: Sandbox) -> None:
    """A witness between every two programs that try to leave something says the same as one in a sandbox of its own."""
    programs = tuple(
        text for number, leaver in enumerate(LEAVERS) for text in (leaver, WITNESS.replace("{}", str(number)))
    )
    found = await rows(sandbox, Job(programs, asks("f(1)", "f(2)"), "f"))
    async with Sandbox.open(isolation=sandbox.isolation, cells=1, share_forks=False) as alone:
        [expected] = await rows(alone, Job((WITNESS,), asks("f(1)", "f(2)"), "f"))
    assert {row.outputs for row in found[1::2]} == {expected.outputs}
    assert [row.outputs for row in found[-4::2]] == [("1", "1"), ("1", "1")]


async def test_leaving_the_iteration_stops_the_work(sandbox: Sandbox) -> None:
    programs = tuple(f"def f():\n    while True: pass\n# {number}" for number in range(200))
    job = Job((*programs, "def f(): return 1"), asks("f()"), "f", limits=QUICK)
    stream = sandbox.execute(job)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        [row] = await rows(sandbox, Job(("def f(): return 'after'",), asks("f()"), "f"))
    assert row.outputs == ("'after'",)


async def test_full_queue_is_overload(sandbox: Sandbox) -> None:
    async with Sandbox.open(isolation=sandbox.isolation, cells=1, queue=2) as small:
        with pytest.raises(Overloaded):
            await rows(small, Job(("1", "2", "3"), asks("f()"), "f"))
        assert len(await rows(small, Job(("4", "5"), asks("f()"), "f"))) == 2


async def test_unknown_names_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(Reject):
        await rows(sandbox, Job(("1",), asks("f()"), "f", language="cobol"))
    with pytest.raises(Misconfigured):
        async with Sandbox.open(isolation="hope"):
            pass


async def test_dead_cell_is_replaced_and_its_work_done_again(sandbox: Sandbox) -> None:
    """Cells are killed from outside while they work, as the kernel does when memory runs out."""
    async with Sandbox.open(isolation=sandbox.isolation, cells=2) as wounded:
        programs = tuple(f"import time\ndef f():\n    time.sleep(0.05)\n    return {number}" for number in range(20))
        stream = wounded.execute(Job(programs, asks("f()"), "f"))
        found = [await anext(stream)]
        for pid in cells_of(os.getpid(), str(wounded.pool.folder)):
            os.kill(pid, signal.SIGKILL)
        found += [row async for row in stream]
    assert {row.outcomes for row in found} == {(Outcome.RETURNED,)}
    assert sorted(int(str(row.outputs[0])) for row in found) == list(range(20))


async def test_hanging_cell_is_found_and_replaced_and_its_work_done_again(sandbox: Sandbox) -> None:
    """Cells are stopped from outside while they work: they say nothing, as gVisor when its memory is gone."""
    others = below(os.getpid())
    async with Sandbox.open(isolation=sandbox.isolation, cells=1) as wounded:
        programs = tuple(f"import time\ndef f():\n    time.sleep(0.05)\n    return {number}" for number in range(6))
        limits = Limits(cpu_seconds=0.3, wall_seconds=1.0)
        stream = wounded.execute(Job(programs, asks("f()"), "f", limits=limits))
        found = [await anext(stream)]
        stopped = [pid for pid in below(os.getpid()) if pid not in others]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        found += [row async for row in stream]
        left = [pid for pid in stopped if living(pid)]
    assert sorted(int(str(row.outputs[0])) for row in found) == list(range(6))
    assert stopped
    assert not left


def living(pid: int) -> bool:
    """Whether a process runs or could run again: one that is dead stays listed until its new parent looks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def below(parent: int) -> list[int]:
    """Processes that descend from this one, but no warden."""
    return [pid for pid in family(parent)[1:] if "ucoder-warden" not in Path(f"/proc/{pid}/cmdline").read_text()]


async def test_nothing_survives_when_we_are_killed(sandbox: Sandbox) -> None:
    """SIGKILL leaves neither a process nor a folder."""
    code = (
        "import asyncio, sys\nfrom ucoder.sandbox_runner.sandbox import Sandbox\n"
        "from ucoder.sandbox_runner.job import Job\nfrom ucoder.core.test_cases import TestCase\n"
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
    process.kill()
    await process.wait()
    async with asyncio.timeout(15):
        while Path(folder).exists() or cells_of(1, folder):
            await asyncio.sleep(0.1)


def cells_of(_: int, folder: str) -> list[int]:
    """Processes whose command line names the folder of a sandbox, or whose parent's does; never the warden."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if folder.encode() in command and b"ucoder-warden" not in command:
                found.append(int(entry.name))
    return found


async def test_javascript_program_is_judged_outside(sandbox: Sandbox) -> None:
    case = TestCase(
        "let candidate = f;\nassert.deepEqual(candidate([1, 2]), [2, 4]);\nassert.deepEqual(candidate([]), []);"
    )
    programs = (
        "function f(a) { return a.map(x => 2 * x) }",
        "function f(a) { return a }",
        "function f(a) { while (true) {} }",
        "function f(a) { process.exit(0) }",
        "function f(a) { require('fs').writeSync(3, 'passed'); require('process').exit(0) }",
        "function f(a) { return { valueOf() { return true }, length: 2 } }",
        "Array.prototype.map = null; JSON.stringify = () => 'passed'; function f(a) { throw new TypeError('x') }",
    )
    found = await rows(sandbox, Job(programs, (case,), "f", language="javascript", limits=Limits(cpu_seconds=1)))
    assert [str(row.outcomes[0]) for row in found] == [
        "passed",
        "failed",
        "timeout_cpu",
        "exception",
        "crashed",
        "failed",
        "exception",
    ]


async def test_javascript_repeats_itself(sandbox: Sandbox) -> None:
    programs = (
        "const f = () => [Math.random(), new Date().getFullYear(), Math.floor(Date.now() / 1e6), typeof Date()]",
        "const f = () => new Date(0).toISOString() + new Date(2020, 1, 2).getDate() + (new Date() instanceof Date)",
    )
    first, second, checked = [
        await rows(sandbox, Job(programs, (TestCase("f()", n),), language="javascript", check_determinism=n == 3))
        for n in (1, 2, 3)
    ]
    assert [row.outputs for row in first] == [row.outputs for row in second]
    assert [str(row.outcomes[0]) for row in checked] == ["nondeterministic", "returned"]
    assert first[1].outputs == ("'1970-01-01T00:00:00.000Z2true'",)
