"""Programs that want to pass without the answer. Each is a real way to cheat some harness; none may pass one test
here.
"""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_cases import TestCase

from .conftest import EXPECTED, Range

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHEATS = {
    # Equality is asked of the object itself in most harnesses.
    "always_equal_object": """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __hash__(self): return 0
def f(x): return Yes()
""",
    "lying_int": """
class Yes(int):
    def __eq__(self, other): return True
    def __repr__(self): return '987654321987'
    __str__ = __repr__
    def __index__(self): return 987654321987 - 1
    __hash__ = int.__hash__
def f(x): return Yes(7)
""",
    "lying_list": """
class Yes(list):
    def __eq__(self, other): return True
    def __iter__(self): return iter([])
    def __len__(self): return 2
def f(x): return Yes()
""",
    "lying_class_attribute": """
class Yes:
    __class__ = int
    def __eq__(self, other): return True
    def __int__(self): return 1
def f(x): return Yes()
""",
    "lying_metaclass": """
class Meta(type):
    def __eq__(self, other): return True
    __hash__ = type.__hash__
    def __instancecheck__(self, other): return True
class Yes(metaclass=Meta): pass
def f(x): return Yes
""",
    # The reply says that it passed, in the words the runner uses.
    "reports_passed": """
import os, json
def f(x):
    for status in ('passed', 'ok'):
        for test in range(4):
            data = json.dumps({'program': 0, 'test': test, 'result': [status, '', 0.0]}).encode()
            os.write(3, len(data).to_bytes(4, 'big') + data)
    os._exit(0)
""",
    "reports_for_another_program": """
import os, json
def f(x):
    for program in range(-3, 50):
        data = json.dumps({'program': program, 'results': [['passed', '', 0.0]] * 4}).encode()
        os.write(3, len(data).to_bytes(4, 'big') + data)
    os._exit(0)
""",
    "sprays_every_descriptor": """
import os
def f(x):
    for fd in range(256):
        for text in (b'passed', b'\\x00\\x00\\x00\\x07Rpassed', b'E{"id": 1, "why": "exit", "status": 0}'):
            try: os.write(fd, text)
            except OSError: pass
    return 1
""",
    "claims_a_huge_frame": """
import os
def f(x):
    os.write(3, b'\\xff\\xff\\xff\\xff' + b'x' * 1000)
    return 1
""",
    "broken_json": """
import os
def f(x):
    for data in (b'{', b'[' * 100000, b'{"program": 1e999, "test": 0}', b'null', b'"\\xff"'):
        os.write(3, len(data).to_bytes(4, 'big') + data)
    return 1
""",
    "closes_every_descriptor": "import os\ndef f(x):\n    os.closerange(0, 256)\n    return 1",
    # The exit status says that all is well.
    "exits_zero_in_the_call": "import os\ndef f(x): os._exit(0)",
    "exits_zero_when_loaded": "import os\nos._exit(0)",
    "raises_system_exit": "import sys\ndef f(x): sys.exit(0)",
    "exits_when_loaded": "import sys\nsys.exit(0)",
    "exits_at_the_end": "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 1",
    "kills_itself": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGTERM)",
    # The harness is in the same interpreter: find it and change it.
    "patches_json": """
import json
json.dumps = lambda *a, **k: '{"program": 0, "test": 0, "result": ["passed", "", 0.0]}'
json.JSONEncoder.encode = json.JSONEncoder.iterencode = lambda *a, **k: '{}'
def f(x): return 1
""",
    "patches_builtins": """
import builtins
builtins.eval = builtins.exec = builtins.compile = lambda *a, **k: None
builtins.isinstance = builtins.issubclass = lambda *a: True
builtins.AssertionError = builtins.Exception = BaseException
builtins.repr = builtins.str = lambda *a: '987654321986'
def f(x): return 1
""",
    "patches_the_writer_of_values": """
import sys
values = sys.modules['ucoder.core.values']
values.canonical = lambda *a, **k: 'True'
sys.modules['ucoder.sandbox_runner.guest.worker'].canonical = lambda *a, **k: 'Opaque'
def f(x): return 1
""",
    "patches_the_runner_through_frames": """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for name, value in frame.f_locals.items():
            if type(value).__name__ == 'Runner':
                type(value).measured = lambda *a: (['passed', '', 0.0], None)
        frame = frame.f_back
    return 1
""",
    "patches_the_judge": """
import sys
judge = sys.modules['ucoder.sandbox_runner.guest.judge']
judge.run = lambda *a: ['passed', '']
judge.Session.step = lambda *a: 1
def f(x): return 1
""",
    "patches_the_player_of_steps": """
import sys
steps = sys.modules['ucoder.sandbox_runner.guest.steps']
steps.Player.play = lambda *a: ['passed', '987654321986', {}]
def f(x): return 1
""",
    "patches_unittest": """
import unittest
unittest.TestResult.errors = unittest.TestResult.failures = []
def f(x): return 1
""",
    # The expected value must be somewhere: search.
    "walks_frames_for_the_answer": """
import sys
def f(x):
    frame, seen, wanted = sys._getframe().f_back, [], ''.join(['98765', '4321987'])
    while frame:
        seen += [frame.f_locals, frame.f_globals, frame.f_code.co_consts]
        frame = frame.f_back
    for text in map(repr, seen):
        if wanted in text: return int(wanted)
    return 1
""",
    "scans_the_heap_for_the_answer": """
import gc
def f(x):
    wanted = ''.join(['98765', '4321987'])
    for item in gc.get_objects():
        for held in (item, *gc.get_referents(item)):
            if type(held) is int and held == int(wanted): return held
            if type(held) is str and wanted in held and held is not wanted: return int(wanted)
            if type(held) is bytes and wanted.encode() in held: return int(wanted)
    return 1
""",
    # A judge ran in this cell just before: its expected values must not lie in memory that this fork inherited.
    "scans_raw_memory_for_what_the_judge_left": """
import ctypes, gc, sys
def f(x):
    parts = [b'9876', b'54321', b'987']
    pages = {id(item) & ~4095 for item in gc.get_objects()} | {id(name) & ~4095 for name in sys.modules}
    for page in sorted(pages):
        memory = ctypes.string_at(page, 4096)
        at = memory.find(parts[0])
        while at >= 0:
            if memory[at + 4:at + 9] == parts[1] and memory[at + 9:at + 12] == parts[2]:
                return int(b''.join(parts))
            at = memory.find(parts[0], at + 1)
    return 1
""",
    "reads_its_own_memory": """
def f(x):
    wanted = b''.join([b'98765', b'4321987'])
    try:
        for line in open('/proc/self/maps'):
            start, end = (int(part, 16) for part in line.split()[0].split('-'))
            with open('/proc/self/mem', 'rb') as memory:
                memory.seek(start)
                if wanted in memory.read(min(end - start, 1 << 24)): return int(wanted)
    except OSError: pass
    return 1
""",
    "reads_the_tests_from_files": """
import os
def f(x):
    wanted = ''.join(['98765', '4321987'])
    for folder, _, names in os.walk('/'):
        if folder.startswith('/python'): continue
        for name in names:
            try:
                if wanted in open(os.path.join(folder, name), errors='replace').read(1 << 20): return int(wanted)
            except OSError: pass
    return 1
""",
    "reads_standard_input": """
import os, sys
def f(x):
    for fd in (0, 1, 2, 3, 4, 5, 6):
        try:
            os.set_blocking(fd, False)
            if b'987654' in os.read(fd, 1 << 20): return 987654321000 + 987
        except (OSError, TypeError): pass
    return 1
""",
    # Time and threads.
    "answers_from_a_thread": """
import threading, os, time
def late():
    time.sleep(0.05)
    os.write(3, b'\\x00\\x00\\x00\\x02{}')
threading.Thread(target=late, daemon=True).start()
def f(x): return 1
""",
    "installs_a_trace": """
import sys, threading
def trace(frame, event, argument):
    for name in list(frame.f_locals):
        if name in ('status', 'result'): frame.f_locals[name] = 'passed'
    return trace
sys.settrace(trace); sys.setprofile(trace); threading.settrace(trace)
def f(x): return 1
""",
    "replaces_the_exception_hooks": "import sys\nsys.excepthook = print\ndef f(x): raise SystemExit",
    "raises_its_own_assertion_error": "class Fine(AssertionError, SystemExit): pass\ndef f(x): raise Fine",
    "swallows_the_time_limit": """
def f(x):
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
    "disarms_the_clock": """
import signal
signal.setitimer(signal.ITIMER_PROF, 0)
signal.signal(signal.SIGPROF, signal.SIG_IGN)
def f(x):
    while True: pass
""",
    "returns_what_never_ends": "import itertools\ndef f(x): return itertools.count()",
    "returns_itself": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "returns_the_bottomless": "def f(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a",
    "returns_text_that_reads_as_another_value": "def f(x): return '987654321987'",
    "returns_a_forged_reference": "class Yes: pass\nYes.__name__ = '=0>987654321987<'\ndef f(x): return Yes()",
    "segfaults": "import ctypes\ndef f(x): ctypes.string_at(0)",
    "overflows_the_c_stack": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)",
}


@pytest.mark.parametrize("name", CHEATS)
async def test_cheat_never_passes(cell: Range, name: str) -> None:
    await cell.attack(CHEATS[name])


async def test_opaque_output_has_no_vote(cell: Range) -> None:
    """An object that equals everything is no output that two programs could agree on."""
    row = await cell.attack(CHEATS["always_equal_object"], (TestCase("f(2)"),))
    assert row.outcomes == (Outcome.UNSUPPORTED,)


async def test_judge_sees_a_value_not_the_object(cell: Range) -> None:
    """A test that computes with the result gets a plain value, whatever methods the program gave it."""
    tests = (
        TestCase("assert abs(f(2) - 5) < 0.1"),
        TestCase("assert sorted(f(2)) == [1, 2]"),
        TestCase(f"assert f(2) in ({EXPECTED},)"),
        TestCase("import math\nassert math.isclose(f(2), 5)"),
    )
    program = """
class Yes(float):
    def __sub__(self, other): return 0.0
    def __abs__(self): return 0.0
    def __lt__(self, other): return True
    def __eq__(self, other): return True
    def __float__(self): return 5.0
    def __iter__(self): return iter([1, 2])
    __hash__ = float.__hash__
def f(x): return Yes(77)
"""
    await cell.attack(program, tests)


async def test_crash_costs_only_its_own_test(cell: Range) -> None:
    """A program that ends itself on one input keeps what it answered to others: no answer is lost, none is won."""
    program = "import os\ndef f(x):\n    return {1: 1234567891011}[x] if x == 1 else os._exit(0)"
    row = await cell.run(program)
    assert [str(outcome) for outcome in row.outcomes] == ["crashed", "passed", "crashed"]
