"""Attacks by programs that forge their verdict: in the runner's words, by ending well, or by changing the runner.

Each is a real way to cheat some test harness; none may pass one test here.
"""

import pytest

from ucoder.core.values import writing
from ucoder.sandbox_runner.guest import program_runner
from ucoder.sandbox_runner.guest.block_tests import judge, replay

from .conftest import AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORGERS = {
    # The reply says that it passed, in the words the runner uses.
    "reports_passed": """
import os, json
def f(x):
    for status in ('passed', 'ok'):
        for test in range(4):
            data = json.dumps({'program': 0, 'test': test, 'result': [status, '', 0.0]}).encode()
            os.write(200, len(data).to_bytes(4, 'big') + data)
    os._exit(0)
""",
    "reports_for_another_program": """
import os, json
def f(x):
    for program in range(-3, 50):
        data = json.dumps({'program': program, 'results': [['passed', '', 0.0]] * 4}).encode()
        os.write(200, len(data).to_bytes(4, 'big') + data)
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
    os.write(200, b'\\xff\\xff\\xff\\xff' + b'x' * 1000)
    return 1
""",
    "broken_json": """
import os
def f(x):
    for data in (b'{', b'[' * 100000, b'{"program": 1e999, "test": 0}', b'null', b'"\\xff"'):
        os.write(200, len(data).to_bytes(4, 'big') + data)
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
sys.modules['ucoder.sandbox_runner.guest.program_runner'].canonical = lambda *a, **k: 'Opaque'
def f(x): return 1
""",
    "patches_the_runner_through_frames": """
import sys
def f(x):
    frame = sys._getframe()
    while frame:
        for name, value in frame.f_locals.items():
            if type(value).__name__ == 'ProgramRunner':
                type(value).measured = lambda *a: (['passed', '', 0.0], None)
        frame = frame.f_back
    return 1
""",
    "patches_the_judge": """
import sys
judge = sys.modules['ucoder.sandbox_runner.guest.block_tests.judge']
judge.run = lambda *a: ['passed', '']
judge.Session.step = lambda *a: 1
def f(x): return 1
""",
    "patches_the_replay_of_steps": """
import sys
steps = sys.modules['ucoder.sandbox_runner.guest.block_tests.replay']
steps.BlockReplay.play = lambda *a: ['passed', '987654321986', {}]
def f(x): return 1
""",
    "patches_unittest": """
import unittest
unittest.TestResult.errors = unittest.TestResult.failures = []
def f(x): return 1
""",
    "patches_what_is_below_python": """
import ctypes, sys
def f(x):
    ctypes.c_char.from_address(id(False) + 24).value = b'\\1'  # False becomes 1
    ctypes.c_char.from_address(id(5) + 24).value = b'\\6'
    code = sys._getframe().f_back.f_code
    ctypes.memset(id(code) + 48, 0, 8)
    return 1
""",
    "replaces_the_methods_of_builtins": """
import ctypes, gc
def f(x):
    for kind in (int, str, list, dict, tuple):
        space = gc.get_referents(kind.__dict__)[0]
        for name in ('__eq__', '__repr__', '__len__', '__iter__', 'items'):
            if name in space: space[name] = lambda *a: '987654321986'
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
    return 1
""",
    "patches_through_referrers": """
import gc, sys
def f(x):
    canonical = sys.modules['ucoder.core.values.writing'].canonical
    for holder in gc.get_referrers(canonical):
        if isinstance(holder, dict):
            for key in [key for key, value in holder.items() if value is canonical]: holder[key] = lambda *a: 'True'
    return 1
""",
    "poisons_the_modules": """
import sys, types
for name in list(sys.modules):
    if name.startswith('ucoder') or name in ('json', 'unittest', 'os', 'signal'):
        sys.modules[name] = types.ModuleType(name)
class Finder:
    def find_spec(self, *a): raise SystemExit(0)
sys.meta_path.insert(0, Finder())
sys.path_hooks.clear(); sys.path.insert(0, '.')
open('json.py', 'w').write('dumps = lambda *a: "passed"')
def f(x): return 1
""",
    "profiles_and_jumps": """
import sys
def hook(frame, event, argument):
    if frame.f_code.co_name in ('measured', 'run', 'report', 'canonical', 'text'):
        for name in ('status', 'text', 'value', 'message', 'data'):
            if name in frame.f_locals: frame.f_locals[name] = 'passed'
        try: frame.f_lineno = frame.f_lineno + 1
        except Exception: pass
    return hook
sys.setprofile(hook); sys.settrace(hook)
def f(x):
    frame = sys._getframe().f_back
    while frame: frame.f_trace, frame.f_trace_opcodes, frame = hook, True, frame.f_back
    return 1
""",
    "hooks_every_audit_and_collection": """
import gc, sys
gc.callbacks.append(lambda *a: sys.exit(0))
sys.addaudithook(lambda event, a: event == 'compile' and sys.exit(0))
sys.unraisablehook = sys.excepthook = lambda *a: None
def f(x): return 1
""",
    "handles_every_signal": """
import faulthandler, os, signal
for number in range(1, 65):
    try: signal.signal(number, lambda *a: os._exit(0))
    except (OSError, ValueError): pass
faulthandler.enable(open('faults', 'w')); faulthandler.dump_traceback_later(0.01, exit=True)
signal.setitimer(signal.ITIMER_REAL, 0.01); signal.set_wakeup_fd(-1)
def f(x):
    while True: pass
""",
    "leaves_an_object_that_exits_when_it_dies": """
import os
class Last:
    def __del__(self, leave=os._exit): leave(0)
kept = Last()
def f(x): return Last()
""",
    # Time and threads.
    "answers_from_a_thread": """
import threading, os, time
def late():
    time.sleep(0.05)
    os.write(200, b'\\x00\\x00\\x00\\x02{}')
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
    "segfaults": "import ctypes\ndef f(x): ctypes.string_at(0)",
    "overflows_the_c_stack": "import sys\nsys.setrecursionlimit(10**9)\ndef f(x): return f(x)",
}


async def test_the_names_that_forgers_change_exist() -> None:
    """Checks the names in the texts above, because an attack on a name that is gone would pass for a defence."""
    assert callable(program_runner.ProgramRunner.measured)
    assert callable(program_runner.written)
    assert callable(judge.run)
    assert callable(judge.Session.step)
    assert callable(replay.BlockReplay.play)
    assert callable(writing.canonical)
    assert {"status", "text", "message", "data"} <= {
        name for function in (program_runner.report, program_runner.ProgramRunner.measured)
        for name in function.__code__.co_varnames
    }  # fmt: skip


@pytest.mark.parametrize("name", FORGERS)
async def test_a_forger_never_passes(cell: AttackedCell, name: str) -> None:
    await cell.attack(FORGERS[name])


async def test_a_crash_costs_only_its_own_test(cell: AttackedCell) -> None:
    """Runs a program that ends itself on one input: it keeps its results on the others, and gains none."""
    program = "import os\ndef f(x):\n    return {1: 1234567891011}[x] if x == 1 else os._exit(0)"
    row = await cell.run(program)
    assert [str(outcome) for outcome in row.outcomes] == ["crashed", "passed", "crashed"]
