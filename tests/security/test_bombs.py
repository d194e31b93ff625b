"""Attacks by programs that take too much: processes, memory, disk, output, descriptors, time.

They must not change the result of a correct program before or after them, and each limit has an outcome of its own.
"""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox_job import Limits

from .conftest import AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOMBS = {
    "forks": "import os\ndef f(x):\n    while True: os.fork()",
    "forks_without_end_ignoring_signals": """
import os, signal
def f(x):
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True:
        try: os.fork()
        except OSError: pass
""",
    "threads": """
import threading, time
def f(x):
    while True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
""",
    "memory": "def f(x):\n    held = []\n    while True: held.append(bytearray(1 << 20))",
    "memory_at_once": "def f(x): return bytearray(1 << 40)",
    "memory_mapped": "import mmap\ndef f(x):\n    held = [mmap.mmap(-1, 1 << 26) for _ in range(1000)]\n    return 1",
    "memory_in_children": """
import os
def f(x):
    for _ in range(6):
        if os.fork() == 0:
            held = []
            try:
                while True: held.append(bytearray(1 << 20))
            except MemoryError: pass
            while True: pass
    os.wait()
""",
    "disk": """
import os
def f(x):
    for number in range(1000):
        with open(f'file{number}', 'wb') as file:
            for _ in range(64): file.write(bytes(1 << 20))
""",
    "many_files": "def f(x):\n    for number in range(10**7): open(f'file{number}', 'w').close()",
    "deep_folders": "import os\ndef f(x):\n    while True:\n        os.mkdir('d')\n        os.chdir('d')",
    "output": "import os\ndef f(x):\n    while True: print('x' * 100000)",
    "output_to_the_descriptor": "import os\ndef f(x):\n    while True: os.write(1, bytes(1 << 16))",
    "output_to_the_report": "import os\ndef f(x):\n    while True: os.write(200, bytes(1 << 16))",
    "descriptors": "def f(x):\n    held = []\n    while True: held.append(open('/dev/null'))",
    "pipes": "import os\ndef f(x):\n    while True: os.pipe()",
    "sleeps": "import time\ndef f(x): time.sleep(1000)",
    "stops_itself": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGSTOP)",
    "digits": "def f(x): return 7 ** 10 ** 9",
    "regular_expression": "import re\ndef f(x): return re.match('(a+)+$', 'a' * 60 + 'b')",
    "deep_source": "f = " + "(" * 5000 + "1" + ")" * 5000,
    "large_result": "def f(x): return 'x' * (1 << 26)",
    "bytes_of_the_report_that_cost_more_outside": """
import json, os
def f(x):
    for text in ('bytearray(20000000000)', 'set(range(0, 10000000000, 1))', "Fraction('1e999999999')",
                 '{' + ', '.join(str(((1 << 61) - 1) * n) for n in range(30000)) + '}', '[' * 900000, '9' * 900000):
        for test in range(2):
            data = json.dumps({'program': 0, 'test': test, 'result': ['ok', text, 0.0]}).encode()
            os.write(200, len(data).to_bytes(4, 'big') + data)
    return 1
""",
    "numbers_with_one_hash": """
def f(x): return {((1 << 61) - 1) * n for n in range(3000)}
""",
    "generator_of_generators": "def f(x):\n    def g():\n        while True: yield g()\n    return list(g())",
    "recursion_in_the_words_of_a_value": """
class Deep(list):
    def __repr__(self): return repr([self])
    def __len__(self): return 10 ** 18
    def __length_hint__(self): return 10 ** 18
def f(x): return [Deep([Deep()]), {1: Deep()}]
""",
    "words_of_an_exception_without_end": """
class Endless(Exception):
    def __str__(self):
        while True: pass
    __repr__ = __str__
def f(x): raise Endless
""",
    "long_name_of_an_exception": "def f(x): raise type('E' * 10 ** 7, (Exception,), {})('x' * 10 ** 7)",
    "timers": """
import signal, time
def f(x):
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGALRM))
    signal.setitimer(signal.ITIMER_REAL, 1e-6, 1e-6)
    time.sleep(100)
""",
    "locks": """
import fcntl, os
def f(x):
    held = [open('/guest/ucoder/__init__.py'), open('/dev/null')]
    for one in held:
        try: fcntl.flock(one, fcntl.LOCK_EX)
        except OSError: pass
    os.fork() or os.setsid()
    while True: pass
""",
    "message_of_a_gigabyte": """
import os
def f(x):
    os.write(200, (1 << 30).to_bytes(4, 'big'))
    while True: os.write(200, bytes(1 << 16))
""",
    "empty_messages": "import os\ndef f(x):\n    while True: os.write(200, bytes(4))",
    "shared_result": "def f(x):\n    a = []\n    for _ in range(60): a = [a, a]\n    return a",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_bomb_harms_nobody(cell: AttackedCell, name: str) -> None:
    limits = Limits(cpu_seconds=0.3, wall_seconds=1.0, memory_mb=128, processes=8)
    await cell.attack(BOMBS[name], (Test("assert f(2) == 5"),), limits)


async def test_a_megabyte_of_output_does_not_time_out(cell: AttackedCell) -> None:
    row = await cell.run(
        "import os\ndef f(x):\n    print('x' * (1 << 20)); os.write(1, bytes(1 << 20))\n    return 5", (Test("f(1)"),)
    )
    assert row.outcomes == (Outcome.RETURNED,)


async def test_each_limit_has_its_own_outcome(cell: AttackedCell) -> None:
    limits = Limits(cpu_seconds=0.3, wall_seconds=1.0, memory_mb=128, processes=4, file_size_mb=1, output_kb=16)
    cases = {
        "def f(x):\n    while True: pass": Outcome.TIMEOUT_CPU,
        "import time\ndef f(x): time.sleep(9)": Outcome.TIMEOUT_WALL,
        "def f(x): return [0] * 10 ** 9": Outcome.OUT_OF_MEMORY,
        "def f(x): return 'x' * 10 ** 6": Outcome.OUTPUT_LIMIT,
        "import os\ndef f(x):\n    while True: os.fork()": Outcome.PROCESS_LIMIT,
        "import os\ndef f(x): os.abort()": Outcome.CRASHED,
        "def f(x): return 1 / 0": Outcome.EXCEPTION,
    }
    for program, outcome in cases.items():
        row = await cell.run(program, (Test("assert f(1) == 1"),), limits)
        assert row.outcomes == (outcome,), program
