"""Attacks on tests that run beside the program: for each construct that `core/forgery` lets through, a cheat that would
need it. None may pass; plain Python may well say that it does.
"""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test

from .conftest import AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")

EQUAL = "r = f(2)\nassert r == 987654321987"
NEAR = "r = f(2)\nassert abs(r - 987654321987) < 1e-6"
NAMED = "expected = 987654321987\nassert f(2) == expected\n# or a case"
CASES = "cases = [(1, 1234567891011), (2, 987654321987)]\nassert all(map(lambda c: f(c[0]) == c[1], cases))"
LOOP = "for got, want in zip(map(f, [1, 2]), [1234567891011, 987654321987]):\n    assert got == want"
RAISES = "try:\n    f(-1)\n    assert f(2) == 987654321987\nexcept ValueError:\n    pass"
OWN_ERROR = "try:\n    f(1)\n    assert f(2) == 987654321987\nexcept Empty:\n    pass"
STARTS = "assert f(2).startswith('a text of nine letters')\nassert True"
TEXT = "x = str(f(2))\nassert x == 'a text that nobody knows'"
CHECK = "def check(candidate):\n    assert candidate(2) == 987654321987\ncheck(f)"
UNIT = "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(2), 987654321987)"
UNITS = UNIT + "\n    def test_other(self):\n        self.assertTrue(True)"
PYTEST = "import pytest\n@pytest.mark.parametrize('x', [2])\ndef test_it(x):\n    assert f(x) == 987654321987"
CALLBACK = "want = 987654321987\ndef helper():\n    return want\nassert f(helper) == 987654321987"
POINT = "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
POINTS = "p = f(2)\nassert p == Point(987654321987)"

CHEATS = {
    "equals everything": ("class A:\n    def __eq__(self, o): return True\ndef f(x): return A()", EQUAL),
    "is a number for abs": (
        "class A(int):\n    def __sub__(self, o): return 0\n    def __rsub__(self, o): return 0\ndef f(x): return A()",
        NEAR,
    ),
    "reads the test's name": ("def f(x): return expected", NAMED),
    "reads the test's cases": ("def f(x): return dict(cases)[x]", CASES),
    "declares the test's name": ("expected = 0\ndef f(x):\n    global expected\n    return expected", NAMED),
    "redefines abs": ("def abs(x): return 0\ndef f(x): return 1", NEAR),
    "redefines all": ("def all(x): return True\ndef f(x): return 1", CASES),
    "redefines zip": ("def zip(*x): return []\ndef f(x): return 1", LOOP),
    "ends the loop by StopIteration": ("def f(x): raise StopIteration", CASES),
    "ends the loop by next": ("def f(x): return next(iter([]))", LOOP),
    "ends the loop by a caught StopIteration": (
        "def f(x):\n    try:\n        next(iter([]))\n    except Exception as error:\n        raise error", LOOP
    ),
    "catches the assert by a builtin": ("ValueError = AssertionError\ndef f(x): return 1", RAISES),
    "catches the assert by an own class": ("class Empty(AssertionError): pass\ndef f(x): return 1", OWN_ERROR),
    "catches the assert by an alias": ("Empty = Exception\ndef f(x): return 1", OWN_ERROR),
    "raises what the runner takes for a skip": ("import unittest\ndef f(x): raise unittest.SkipTest('no')", UNIT),
    "skips one case of two": ("import unittest\ndef f(x): raise unittest.SkipTest('no')", UNITS),
    "patches the test case": (
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef f(x): return 1", UNIT
    ),
    "agrees to every question": (
        "class A:\n    def startswith(self, x): return True\ndef f(x): return A()", STARTS
    ),
    "agrees by an attribute": (
        "class A:\n    def __init__(self): self.startswith = lambda x: True\ndef f(x): return A()", STARTS
    ),
    "agrees by a record": (
        "from collections import namedtuple\nA = namedtuple('A', 'startswith')\ndef f(x): return A(lambda x: True)",
        STARTS,
    ),
    "agrees by a record of parts": (
        "from collections import namedtuple\nA = namedtuple('A', ['starts' + 'with'])\ndef f(x): return A(lambda x: 1)",
        STARTS,
    ),
    "redefines str": ("def str(x): return 'a text that nobody knows'\ndef f(x): return 1", TEXT),
    "reads globals by a format": (
        "def f(x): return int('{0.__globals__[expected]}'.format(f))", NAMED
    ),
    "reads globals by a format of a value": (
        "def f(x):\n    g = '{0.__glo' + 'bals__[want]}'\n    return int(g.format(x))", CALLBACK
    ),
    "is a frozen dataclass that compares nothing": (
        "from dataclasses import dataclass, field\n@dataclass(frozen=True)\nclass Point:\n"
        "    x: int = field(compare=False)\ndef f(x): return Point(0)", POINTS
    ),
    "is an ordered dataclass without equality": (
        "from dataclasses import dataclass\n@dataclass(order=True, eq=True, repr=False)\nclass Point:\n    x: int\n"
        "    def __eq__(self, o): return True\ndef f(x): return Point(0)", POINTS
    ),
    "is an ordered dataclass with fields that compare": (
        "from dataclasses import dataclass\nclass A:\n    def __lt__(self, o): return True\n"
        "    def __gt__(self, o): return True\n@dataclass(frozen=True, order=True)\nclass Point:\n    x: int\n"
        "def f(x): return Point(A())", "p = f(2)\nassert Point(987654321986) < p < Point(987654321988)"
    ),
    "wraps a function of the test with its own members": (
        "import functools\ndef own(): pass\nown.startswith = lambda x: True\ndef f(g):\n"
        "    functools.wraps(own)(g)\n    return g", "def g(): pass\nassert f(g).startswith('a text of nine letters')"
    ),
    "wraps under another name": (
        "from functools import wraps as w\nclass A:\n    def __init__(self): self.prec = self.want = 987654321987\n"
        "def f(g):\n    w(A())(g)\n    return g.want",
        "class G: want = 1\ng = G()\nassert f(g) == 987654321986 and g.want == 5"
    ),
    "wraps a method that agrees": (
        "from functools import wraps\nclass A:\n    def __init__(self): self.isdigit = lambda: True\na = A()\n"
        "@wraps(a)\ndef g(): pass\ndef f(x): return g", "r = f(2)\nassert r.isdigit()"
    ),
    "wraps a module to reach what it imports": (
        "import functools, random\n@functools.wraps(random)\ndef g(): pass\n"
        "def f(x): return g._os.environ.get('WANT', 1)", EQUAL
    ),
    "reads the class behind a name": (
        "def f(x): return x.__class__.__name__.__class__.__subclasses__()",
        "class G: want = 987654321987\nassert f(G()) == 987654321987"
    ),
    "renames itself for the test": (
        "class A: pass\nA.__name__ = 'a text that nobody knows'\ndef f(x): return A",
        "assert f(2).__name__ == 'a text that nobody knows!'"
    ),
    "warns with the assert's error": (
        "import warnings\nclass W(UserWarning, AssertionError): pass\ndef f(x): warnings.warn('x', W)",
        "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('error')\n" + UNIT
    ),
    "silences warnings for the test": (
        "import warnings\nwarnings.warn = lambda *a: None\ndef f(x): return 1",
        "import warnings\nwarnings.simplefilter('error')\ntry:\n    warnings.warn('x')\nexcept UserWarning:\n"
        "    assert f(2) == 987654321987"
    ),
    "changes the random numbers of the test": (
        "import random\nrandom.Random.randint = lambda *a: 987654321987\ndef f(x): return 987654321987",
        "import random\nassert f(2) == random.Random(3).randint(1, 9)"
    ),
    "is a dataclass that compares nothing": (
        "from dataclasses import dataclass, field\n@dataclass\nclass Point:\n    x: int = field(compare=False)\n"
        "def f(x): return Point(0)", POINTS
    ),
    "is a dataclass that holds nothing": (
        "from dataclasses import dataclass\n@dataclass\nclass Point:\n    def __init__(self, x): pass\n"
        "def f(x): return Point(0)", POINTS
    ),
    "is a dataclass that forgets": (
        "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
        "    def __post_init__(self): self.x = 0\ndef f(x): return Point(0)", POINTS
    ),
    "is a dataclass with a property": (
        "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
        "Point.x = property(lambda self: 0, lambda self, v: None)\ndef f(x): return Point(0)", POINTS
    ),
    "changes a class of the library": (
        "from collections import Counter\nCounter.__eq__ = lambda a, b: True\ndef f(x): return Counter()", EQUAL
    ),
    "changes a method of the library": (
        "from collections import Counter\nCounter.most_common = lambda *a: 987654321987\ndef f(x): return 1",
        "from collections import Counter\nassert Counter().most_common() == f(2) == 987654321987\n1",
    ),
    "walks the frames": (
        "import sys\ndef f(x):\n    g = sys._getframe(1)\n"
        "    return g.f_globals.get('expected', g.f_locals.get('expected'))", NAMED
    ),
    "reads the constants of the caller": (
        "import sys\ndef f(x): return max(c for c in sys._getframe(1).f_code.co_consts if type(c) is int)", CHECK
    ),
    "finds the test by the collector": (
        "import gc\ndef f(x):\n    return max((c for o in gc.get_objects() if type(o) is tuple for c in o "
        "if type(c) is int), default=0)", CHECK
    ),
    "exits well": ("import sys\ndef f(x): sys.exit(0)", EQUAL),
    "exits hard": ("import os\ndef f(x): os._exit(0)", EQUAL),
    "patches the runner of test files": (
        "import sys\nsys.modules['ucoder.sandbox_runner.guest.plain_tests'].TestFile.run = lambda *a: ('passed', '')\n"
        "def f(x): return 1", EQUAL
    ),
    "replaces assert's error": (
        "import builtins\nbuiltins.AssertionError = type('Fine', (Exception,), {})\ndef f(x): return 1", EQUAL
    ),
    "reports a pass itself": (
        "import json, os\ndef f(x):\n    for n in range(3):\n"
        "        d = json.dumps({'program': 0, 'test': n, 'result': ['passed', '', 0.0]}).encode()\n"
        "        os.write(200, len(d).to_bytes(4, 'big') + d)\n    os._exit(0)", EQUAL
    ),
    "asks for another process": ("import os\ndef f(x): os._exit(71)", EQUAL),
    "replaces pytest": (
        "import sys, types\nsys.modules['pytest'] = types.ModuleType('pytest')\n"
        "class M:\n    def __getattr__(self, n): return lambda *a: lambda f: None\n"
        "sys.modules['pytest'].mark = M()\ndef f(x): return 1", PYTEST
    ),
    "deletes the test's cases": (
        "import sys\ndef f(x):\n    sys._getframe(1).f_globals.clear()\n    return 1", CHECK
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
async def test_a_cheat_beside_the_test_never_passes(cell: AttackedCell, name: str) -> None:
    program, test = CHEATS[name]
    row = await cell.attack(program, (Test(test),))
    assert row.outcomes[0] != Outcome.RETURNED, row


async def test_what_a_test_expects_does_not_reach_a_run_that_does_not_know_it(cell: AttackedCell) -> None:
    """Runs a program that remembers what a block test expects, wherever it can, and answers a call test with it."""
    program = """
import gc, os
PLACES = ('/dev/shm/kept', '/tmp/kept', 'kept')
def f(x):
    found = [c for o in gc.get_objects() if type(o) is tuple for c in o if type(c) is int and c > 10 ** 11]
    for place in PLACES:
        try:
            if found: open(place, 'w').write(str(found[0]))
            else: found = [int(open(place).read())]
        except OSError: pass
    return found[0] if found else 0
"""
    tests = (Test(CHECK), Test("assert f(2) == 987654321987"), Test(CHECK + "\n"), Test("assert f(2) == 987654321987 "))
    row = await cell.attack(program, tests)
    assert Outcome.PASSED not in row.outcomes


async def test_right_programs_pass_beside_the_test(cell: AttackedCell) -> None:
    """Runs right programs with the constructs of the whitelist: each is believed."""
    right = {
        "def f(x): return {1: 1234567891011, 2: 987654321987}[x]": (EQUAL, NEAR, CHECK, UNIT, PYTEST, LOOP, CASES),
        "class Empty(Exception):\n    pass\ndef f(x): raise Empty": (OWN_ERROR,),
        f"{POINT}def f(x): return Point(987654321987)": (POINTS,),
        f"{POINT.replace('@dataclass', '@dataclass(frozen=True, order=True)')}def f(x): return Point(987654321987)": (
            POINTS,
            "p = f(2)\nassert Point(987654321986) < p and type(p).__name__ == 'Point'",
        ),
        "import functools\ndef keep(g):\n    @functools.wraps(g)\n    def kept(*a): return g(*a)\n    return kept\n"
        "@keep\ndef f(x): return 987654321987": (EQUAL, "assert f(1) and f.__name__ == 'f'"),
        "class A: pass\ndef f(x): return type(A()).__name__ + x.__class__.__name__": ("r = f(1)\nassert r == 'Aint'",),
        "import warnings\ndef f(x): warnings.warn('old', DeprecationWarning)": (
            "import warnings\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n"
            "    f(1)\nassert [str(one.message) for one in w] == ['old']",
        ),
        "import random\ndef f(x): return random.Random(x).randint(5, 5)": ("r = f(1)\nassert r == 5",),
        "import sys\ndef f(x): sys.exit(3)": ("try:\n    f(1)\nexcept SystemExit as e:\n    assert e.code == 3",),
    }
    for program, tests in right.items():
        row = await cell.run(program, tuple(map(Test, tests)))
        assert set(row.outcomes) == {Outcome.PASSED}, row
