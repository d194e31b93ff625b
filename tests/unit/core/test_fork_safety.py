"""Programs that may share a fork, and those that may not."""

import pytest

from ucoder.core.fork_safety import call_is_fork_safe, check_program

FORK_SAFE = (
    "def f(x): return sorted(set(x))",
    "import math, re\nfrom collections import Counter\ndef f(x): return Counter(re.findall('a', x)), math.pi",
    "from typing import *\ndef f(x: List[int]) -> int: return x[0]",
    "def f(x):\n    try:\n        return x[0]\n    except (IndexError, TypeError):\n        return 0",
    "class A:\n    def __init__(self): self.x = 1\n    def get(self): return self.x",
    "def f(x): print(x)",
    "def f(x) return",
    "import random\ndef f(x): return random.choice(x)",
    "def f(x): return type(x) == int or type(x) in (list, tuple)",
    "def f(x):\n    try: return 1\n    finally: print(x)",
    "from __future__ import annotations\ndef f(x): return x",
    "from typing import List, Optional\nclass Node:\n"
    "    def __init__(self, x, next: 'Optional[Node]' = None): self.x = x\n"
    "    def put(self, x): self.x, self.next = x, Node(x, self)\nclass Pair(Node):\n    def __eq__(self, other):\n"
    "        return isinstance(other, (Node, Pair)) and type(self) is type(other) and self.x == other.x\n"
    "class Bad(Exception):\n    def __init__(self): self.x = 1\n"
    "def f(x: List[Node], y: Node | None) -> Optional[Node]:\n"
    "    try:\n        raise Bad\n    except Bad as error: return Node(error.x).put(1)",
    "class A:\n    @property\n    def x(self): return self._x\n    @x.setter\n    def x(self, value): self._x = value",
)
UNSAFE = (
    "import os\nos.sep",
    "from os import path",
    "import sys\nsys.path",
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
    # `type` can make a class with any method.
    "T = type(type(1))\nT('X', (), {'__del__': print})",
    "type(*['X', (), {'__del__': print}])",
    "class M(type(int)): pass",
    "class A:\n    def __eq__(self, other): return other('X', (), {})\ntype(int) == A()",
    "[type(x) for x in (1, int)][1]",
    # A method that sets an attribute of `self` could get an object of the library as `self`.
    "from re import I\ndef set(self): self._value_ = 9\nset(I)",
    "from typing import Optional\nclass A:\n    def set(self): self._getitem = 1\nA.set(Optional)",
    "import math\nclass A:\n    def set(self): self.pi = 3\n[A][0].set(math.pi)",
    "class A:\n    def set(self): self.x = 3\n    set(print)",
    "class A:\n    def set(self): self.x = 3\nfor c in (A,): c.set(print)",
    "class A:\n    def set(self): self.x = 3\n    @classmethod\n    def g(cls): cls.set(print)",
    "class A:\n    @staticmethod\n    def set(self): self.x = 3",
    "class A:\n    global set\n    def set(self): self.x = 3\nset(print)",
    "class A:\n    def set(self):\n        for self in [print]: self.x = 3",
    "class A:\n    def set(self):\n        def g(self): self.x = 3\n        g(print)",
    "class A:\n    def set(self): self.x = 3\nclass H:\n    def __getitem__(self, k): k.set(print)\n"
    "def f(x: H()[A]): pass",
    "class A:\n    def set(self): self.x = 3\ndef isinstance(a, b): return b\nisinstance(1, A).set(print)",
    "class A:\n    def set(self): self.x = 3\n    class B:\n        def set(self): self.x = 3\nA.B.set(print)",
    "class A:\n    def set(self): self.x = 3\n@A\ndef f(): pass",
    "class D:\n    def setter(self, f): f(print)\nd = D()\nclass A:\n    @d.setter\n    def set(self): self.x = 1",
    "class D:\n    def setter(self, f): f(print)\nclass A:\n    @property\n    def s(self): pass\n    s = D()\n"
    "    @s.setter\n    def s(self): self.x = 1",
    # A generator that is left behind is closed during the next program.
    "def g():\n    try: yield 1\n    finally:\n        while True: pass",
    # Any binding can also bind the names that Python itself looks up.
    "import math as __builtins__",
    "class __builtins__: pass",
    "def f(__builtins__): pass",
    "def f():\n    global __builtins__",
    "import __future__\n__future__.all_feature_names.append(1)",
)


@pytest.mark.parametrize("program", FORK_SAFE)
def test_ordinary_program_may_share_a_fork(program: str) -> None:
    assert check_program(program).may_share


@pytest.mark.parametrize("program", UNSAFE)
def test_program_that_could_affect_others_may_not(program: str) -> None:
    found = check_program(program)
    assert not found.may_share
    assert found.reason


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
        ("from collections import Counter\nseen = -Counter()\ndef f(x): seen[x] = 1", False),
    ],
)
def test_only_a_stateless_program_keeps_its_namespace(program: str, stateless: bool) -> None:
    assert check_program(program).stateless is stateless


def test_endless_nesting_may_not_share_a_fork() -> None:
    assert not check_program("f = " + "(" * 100 + "-" * 50_000 + "1" + ")" * 100).may_share


@pytest.mark.parametrize(
    ("call", "sharing"),
    [
        ("f([1, 2], key=lambda x: -x)", True),
        ("f(set('abc'), {'a': 1})", True),
        ("f(__import__('os').getpid())", False),
        ("f(open('x'))", False),
        ("f((x := 5))", False),
        ("f(f.__globals__)", False),
    ],
)
def test_a_call_of_a_test_must_be_fork_safe_too(call: str, sharing: bool) -> None:
    assert call_is_fork_safe(call) is sharing


def test_a_failing_import_is_allowed_and_a_used_one_is_not() -> None:
    torch = "import torch.nn as nn\nfrom torch import x\nclass A(nn.Module):\n    pass\n"
    assert check_program(torch, {"torch"}.__contains__).may_share
    assert not check_program(torch).may_share
    assert not check_program("import torch\nopen('x')", {"torch"}.__contains__).may_share
    assert check_program("import os, sys\ndef f(x): return x").may_share
    for use in ("os.getcwd()", "[os]", "(lambda: os)()"):
        assert not check_program(f"import os\nx = {use}").may_share
    assert not check_program("from os import path").may_share
    assert call_is_fork_safe("f(___)")
