"""Tests of what a program repeats in a second run, and of what it leaves for the next program."""

import pytest
from tests.integration.sandbox_runner.sandbox_calls import as_tests, results_of

from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import SandboxJob

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_result_that_changes_from_run_to_run_is_nondeterministic(sandbox: Sandbox) -> None:
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
    first = await results_of(sandbox, SandboxJob(programs, as_tests("f()"), "f"))
    second = await results_of(sandbox, SandboxJob(programs, (Test("f()", count=2),), "f"))
    same = [one.outputs == other.outputs for one, other in zip(first, second, strict=True)]
    assert same == [number not in (1, 2) for number in range(len(programs))]  # these read random bytes of the machine
    checked = await results_of(sandbox, SandboxJob(programs, as_tests("f()"), "f", check_determinism=True))
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
    """Puts a witness between every two programs that try to leave something: it returns what it returns alone."""
    programs = tuple(
        text for number, leaver in enumerate(LEAVERS) for text in (leaver, WITNESS.replace("{}", str(number)))
    )
    found = await results_of(sandbox, SandboxJob(programs, as_tests("f(1)", "f(2)"), "f"))
    async with Sandbox.open(isolation=sandbox.isolation, cells=1, share_forks=False) as alone:
        [expected] = await results_of(alone, SandboxJob((WITNESS,), as_tests("f(1)", "f(2)"), "f"))
    assert {row.outputs for row in found[1::2]} == {expected.outputs}
    assert [row.outputs for row in found[-4::2]] == [("1", "1"), ("1", "1")]
