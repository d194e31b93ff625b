"""Tests of the whitelist of programs that cannot forge a pass beside a test."""

import pytest

from ucoder.core.forgery import has_no_means, leaves_names_alone

BELIEVED = (
    "def f(x): return x + 1",
    "import sys\ndef f(x): sys.exit(2)",
    "import json\ndef f(s): return json.loads(s)",
    "class Node:\n    def __init__(self, v):\n        self.next = v\ndef f(n):\n    n.next = Node(1)",
    "class E(Exception):\n    def __init__(self, m):\n        super().__init__(m)\n        self.code = 3",
    "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    def moved(self): return P(self.x + 1)",
    "from enum import Enum\nclass Color(Enum):\n    RED = 1",
    "def f(x): return '{:>5}'.format(x)",
    "def f(xs): return next(iter(xs), None)",
    "from dataclasses import dataclass\n@dataclass(frozen=True, order=True)\nclass P:\n    x: int",
    "import functools\ndef keep(g):\n    @functools.wraps(g)\n    def kept(*a): return g(*a)\n    return kept",
    "from functools import wraps\ndef keep(g):\n    @wraps(g)\n    def kept(*a): return g(*a)\n    return kept",
    "def f(x): return type(x).__name__ + x.__class__.__name__",
    "import warnings\ndef f(x): warnings.warn('old', DeprecationWarning, stacklevel=2)",
    "import random\ndef f(seed): return random.Random(seed).random()",
    "from functools import reduce, lru_cache",
    "this is no Python",
)
NOT_BELIEVED = (
    "import os\ndef f(x): return os.getpid()",
    "class A:\n    def __eq__(self, o): return True",
    "class A:\n    def __contains__(self, o): return True",
    "class A(str): pass",
    "class A:\n    def startswith(self, x): return True",
    "def f(x): raise StopIteration",
    "def f(xs): return next(iter(xs))",
    "def f(x): return '{0.__class__}'.format(x)",
    "def f(x, form): return form.format(x)",
    "from collections import Counter\nCounter.update = None",
    "from dataclasses import dataclass\n@dataclass(eq=True)\nclass P:\n    x: int",
    "from dataclasses import dataclass\nx = {'eq': False}\n@dataclass(**x)\nclass P:\n    x: int",
    "from functools import wraps\ndef f(g): return wraps(f)(g)",
    "from functools import wraps as w\ndef f(g): return g",
    "import functools\ndef f(g): return functools.wraps(f)(g)",
    "import functools as t\ndef keep(g):\n    @t.wraps(g, ['x'])\n    def kept(*a): return g(*a)\n    return kept",
    "import functools, random\n@functools.wraps(random)\ndef f(x): return f._os",
    "def f(x): return x.__class__",
    "def f(x): return type(x).__subclasses__()",
    "def f(x): x.__name__ = 'f'",
    "import warnings\nwarnings.warn = None",
    "import warnings\nwarnings.simplefilter('ignore')",
    "import random\nclass R(random.Random): pass",
    "import random\nrandom.Random.random = None",
)


@pytest.mark.parametrize("program", BELIEVED)
def test_programs_without_means(program: str) -> None:
    assert has_no_means(program)


@pytest.mark.parametrize("program", NOT_BELIEVED)
def test_programs_with_means(program: str) -> None:
    assert not has_no_means(program)


@pytest.mark.parametrize(
    ("program", "test", "alone"),
    [
        ("def f(x):\n    result = x\n    return result", "result = f(1)\nassert result == 1", True),
        ("def f(x): return expected", "expected = 5\nassert f(1) == expected", False),
        ("import math\ndef f(x): return x", "import math\nassert math.isclose(f(1), 1)", True),
        ("class math:\n    isclose = 1\ndef f(x): return x", "assert math.isclose(f(1), 1)", False),
        ("def abs(x): return 0\ndef f(x): return 1", "assert abs(f(1) - 3) < 1", False),
        ("def f(x):\n    global abs\n    abs = f", "assert abs(f(1) - 3) < 1", False),
        ("class E(Exception): pass\ndef f(x): return 1", "try: f(1)\nexcept E: pass", True),
        ("E = Exception\ndef f(x): return 1", "try: f(1)\nexcept E: pass", False),
        ("def f(x): return 1\ndef assert_same(a, b): pass", "assert_same(f(1), 2)", False),
        ("def f(x): return 1", "exec('y = f(1)')\nassert y == 1", False),
    ],
)
def test_the_names_of_a_test(program: str, test: str, alone: bool) -> None:
    assert leaves_names_alone(program, test) is alone
