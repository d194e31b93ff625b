"""Attacks by programs that search for the expected value: in frames, on the heap, in memory, in files, in what a judge
left or asks.

The expected value is never where they are.
"""

import pytest

from ucoder.core.test_plans import Test

from .conftest import EXPECTED, AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHEATS = {
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
    # A judge ran in this cell just before: its expected values must not be in memory that this fork inherited.
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
    "asks_what_the_test_hands_it": """
import sys
def f(x):
    wanted = ''.join(['98765', '4321987'])
    names = [frame for frame in sys._current_frames().values()]
    texts = [repr(sys.argv), repr(sys.orig_argv), repr(sys.flags), repr(getattr(sys, 'last_value', '')), repr(x)]
    return int(wanted) if any(wanted in text for text in texts) else len(names)
""",
    "keeps_what_it_was_asked_before": """
import json, os
def f(x):
    seen = json.load(open('seen')) if os.path.exists('seen') else []
    seen.append(x)
    json.dump(seen, open('seen', 'w'))
    return seen[-2] if len(seen) > 1 else 1
""",
    "asks_the_judge_for_the_next_step": """
class Spy:
    def __init__(self, *a): self.seen = a
    def __call__(self, *a): return self
    def __getattr__(self, name): return self
    def __eq__(self, other): return self.seen.append(other) or True
    def __iter__(self): return iter([self] * 3)
def f(x): return Spy(x)
""",
    "names_what_a_test_may_use": """
class Anything:
    def __getattr__(self, name): return lambda *a, **k: True
np = numpy = math = pd = unittest = pytest = Anything()
check = assert_equal = isclose = approx = Counter = sorted = abs = len = isinstance = lambda *a, **k: True
AssertionError = type('Never', (Exception,), {})
def f(x): return 1
""",
}


@pytest.mark.parametrize("name", CHEATS)
async def test_a_search_never_passes(cell: AttackedCell, name: str) -> None:
    await cell.attack(CHEATS[name])


NAMES = (
    f"import math\nassert math.isclose(f(2), {EXPECTED})",
    f"assert isclose(f(2), {EXPECTED})",
    f"assert np.allclose(f(2), {EXPECTED})",
    f"assert Counter([f(2)]) == Counter([{EXPECTED}])",
    f"assert sorted([f(2)]) == [{EXPECTED}] and abs(f(2)) == {EXPECTED}",
    f"assert_equal(f(2), {EXPECTED})",
    "check(f)",
    f"import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(2), {EXPECTED})",
    f"try: assert f(2) == {EXPECTED}\nexcept AssertionError: raise",
)


async def test_names_of_a_test_are_not_the_programs(cell: AttackedCell) -> None:
    """Runs a program that defines whatever a test might use to judge it: it gains nothing."""
    await cell.attack(CHEATS["names_what_a_test_may_use"], tuple(map(Test, NAMES)))
