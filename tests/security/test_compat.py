"""Attacks in compat mode, which runs a test beside its program. Its verdicts can be forged, but not by accident
and not for another program.
"""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox_job import Limits

from .conftest import AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")
LIMITS = Limits(cpu_seconds=1.0, wall_seconds=3.0, memory_mb=256, processes=8)
FILE = Test("""
import unittest
class Tests(unittest.TestCase):
    def test_one(self): self.assertEqual(f(2), 4)
    def test_two(self): self.assertEqual(f(3), 9)
""")
OUTCOMES = {
    "def f(x): return x * x": "passed",
    "def f(x): return 4": "failed",
    "def f(x): return 1 / 0": "exception",
    "import os\ndef f(x): os._exit(0)": "crashed",
    "import os\nos._exit(0)": "crashed",
    "import sys\ndef f(x): sys.exit(0)": "exception",
    "import os, atexit\natexit.register(lambda: os._exit(0))\ndef f(x): return 5": "failed",
    "def f(x):\n    while True: pass": "timeout_cpu",
    "import time\ndef f(x): time.sleep(9)": "timeout_wall",
    "import os\ndef f(x):\n    while True: os.fork()": "timeout_cpu",
    "import os\ndef f(x): os.write(200, bytes([0, 0, 0, 9]) + b'[[passed]]')": "crashed",
}


async def test_only_what_forges_on_purpose_passes(cell: AttackedCell) -> None:
    """Runs programs that end, print, time out or forge reports: none passes by that."""
    rows = await cell.results([f"{program}\n" for program in OUTCOMES], (FILE,), LIMITS, mode="compat")
    found = {program: str(row.outcomes[0]) for program, row in zip(OUTCOMES, rows, strict=True)}
    bomb = next(program for program in OUTCOMES if "fork()" in program)
    assert found.pop(bomb) in ("exception", "timeout_cpu")  # whichever limit it meets first
    assert found == {program: outcome for program, outcome in OUTCOMES.items() if program != bomb}
    await cell.check_unharmed()


async def test_a_forged_verdict_stays_with_its_program(cell: AttackedCell) -> None:
    forger = "import unittest\nunittest.TestResult.errors = unittest.TestResult.failures = []\n"
    forger += "unittest.TestCase.assertEqual = lambda *a: None\ndef f(x): return 0"
    rows = await cell.results([forger, "def f(x): return 4"], (FILE,), LIMITS, mode="compat")
    assert [row.outcomes[0] for row in rows] == [Outcome.PASSED, Outcome.FAILED]
    [outside] = await cell.results([forger], (FILE,), LIMITS)
    assert outside.outcomes == (Outcome.UNCONFIRMED,)
