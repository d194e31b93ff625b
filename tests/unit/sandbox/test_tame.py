"""Which programs may share a fork."""

import pytest

from ucoder.core.tame import nature

TAME = (
    "def f(x): return sorted(set(x))",
    "import math, re\nfrom collections import Counter\ndef f(x): return Counter(re.findall('a', x)), math.pi",
    "from typing import *\ndef f(x: List[int]) -> int: return x[0]",
    "def f(x):\n    try:\n        return x[0]\n    except (IndexError, TypeError):\n        return 0",
    "class A:\n    def __init__(self): self.x = 1\n    def get(self): return self.x",
    "def f(x): print(x)",
    "def f(x) return",
    "import random\ndef f(x): return random.choice(x)",
)
NOT_TAME = (
    "import os",
    "from os import path",
    "import sys",
    "import numpy",
    "def f(): open('x')",
    "def f(x): return eval(x)",
    "def f(x): return x.__class__",
    "def f(x): return getattr(x, 'a')",
    "def f(x): x.a = 1",
    "def f(x): del x.a",
    "import math\nmath.pi = 3",
    "import math\nm = math",
    "import math\ndef f(x): return math.__dict__",
    "from collections import abc\nabc.Sequence.register(int)",
    "import operator\nf = operator.attrgetter('__globals__')",
    "import functools\nfunctools.update_wrapper(1, 2)",
    "from decimal import getcontext",
    "from string import Formatter",
    "import typing\ntyping.get_type_hints(int)",
    "def f():\n    try: pass\n    except: pass",
    "def f():\n    try: pass\n    except BaseException: pass",
    "E = Exception\ndef f():\n    try: pass\n    except (lambda: E)(): pass",
    "def f():\n    while True:\n        try: pass\n        finally: continue",
    "def f():\n    try: pass\n    finally: return 1",
    "def f(x):\n    with x: pass",
    "class A:\n    def __del__(self): pass",
    "class A:\n    def __exit__(self, *_): return True",
    "class A(type): pass",
    "class A(metaclass=B): pass",
    "def f(x):\n    match x:\n        case object(__class__=c): return c",
    "async def f(): pass",
    "def f(g): return g.gi_frame",
    "def f(): return __builtins__",
    "def f(): return globals()",
    "t = type\nt('X', (), {})",
    "def f(): exit()",
    "class A:\n    x = super",
)


@pytest.mark.parametrize("program", TAME)
def test_ordinary_program_is_tame(program: str) -> None:
    assert nature(program).tame


@pytest.mark.parametrize("program", NOT_TAME)
def test_program_that_could_reach_further_is_not(program: str) -> None:
    found = nature(program)
    assert not found.tame
    assert found.why


@pytest.mark.parametrize(
    ("program", "stateless"),
    [
        ("def f(x): return x", True),
        ("import math\nPI = 3\ndef f(x): return PI", True),
        ("def f(x, seen=[]): return seen", False),
        ("def f(x, *, seen={}): return seen", False),
        ("seen = []\ndef f(x): return seen", False),
        ("n = 0\ndef f():\n    global n\n    n += 1", False),
        ("class A: x = []", False),
        ("from functools import lru_cache\n@lru_cache\ndef f(x): return x", False),
        ("print(1)", False),
    ],
)
def test_only_a_stateless_program_keeps_its_namespace(program: str, stateless: bool) -> None:
    assert nature(program).stateless is stateless


def test_endless_nesting_is_not_tame() -> None:
    assert not nature("f = " + "(" * 100 + "-" * 50_000 + "1" + ")" * 100).tame
