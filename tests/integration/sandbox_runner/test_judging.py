"""Tests of block tests: judged outside the program, and in compat mode beside it."""

import pytest
from tests.integration.sandbox_runner.sandbox_calls import as_tests, results_of

from ucoder.sandbox_runner.sandbox import Sandbox
from ucoder.sandbox_runner.sandbox_job import SandboxJob

pytestmark = pytest.mark.asyncio(loop_scope="module")


JUDGED = {
    "x = f([1, 2])\nassert x == 3": "passed",
    "for n in range(20):\n    assert f([n, 1]) == n + 1": "passed",
    "def check(g):\n    assert g([1]) == 1\n    assert g([]) == 0\ncheck(f)": "passed",
    "assert sorted([f([3]), f([1])]) == [1, 3]": "passed",
    "assert f([f([1]), 2]) == 3": "passed",
    "try:\n    f(None)\nexcept TypeError as error:\n    assert 'iterable' in str(error)\nelse: assert 0": "passed",
    "a = [3, 1]\nput(a, 2)\nassert a == [3, 1, 2]": "passed",
    "assert list(count(3)) == [0, 1, 2]": "passed",
    "given = {'b': 1, 'a': 2}\nassert keys(given) == ['b', 'a']\nassert keys({'z': 1, 'y': 2}) == ['z', 'y']": "passed",
    "given = {'a': 1, 'b': 2}\nturn(given)\nassert list(given) == ['b', 'a'] and given == {'a': 1, 'b': 2}": "passed",
    "assert list(turn(turn({'a': 1, 'b': 2}))) == ['a', 'b']": "passed",
    "assert apply('<=0>', 1) == 2": "exception",
    "a = []\na.append(a)\nassert f(a) == 1": "exception",
    "s = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2 and s.size == 1 and len(s) == 1": "passed",
    "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f([1]), 1)": "passed",
    "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f([1]), 2)": "failed",
    "assert f([1]) == 1\nassert f([2]) == 1": "failed",
    "assert Stack() == Stack()": "failed",
    "s = Stack()\ns.items += [5]\nassert 5 in s": "unconfirmed",
    "s = Stack()\ns.push(5)\nassert 5 in s and 6 not in s and s[0] == 5 and repr(s) == 'Stack of 1' and s": "passed",
    "assert not Stack() and isinstance(Stack(), Stack) and (Stack() + 2).size == 2": "passed",
    "assert isinstance(f([1]), Stack)": "failed",
    "g = count(1)\nassert next(g) == 0\ntry: next(g)\nexcept StopIteration: pass\nelse: assert 0": "passed",
    "try: Stack().pop()\nexcept Empty as error: assert str(error) == 'none'\nelse: assert 0": "passed",
    "try: put(1, 2)\nexcept Empty: pass": "exception",
    "assert isclose(f([0.1, 0.2]), 0.3) and Counter([f([1])]) == {1: 1} and Decimal(f([1])) == 1": "exception",
    "assert_equal(f([1]), 1)": "exception",
    "check(f)": "exception",
    "assert count.__globals__": "unconfirmed",
    "g = count(1)\nassert g.gi_frame": "unconfirmed",
    "assert apply(lambda n: n, 1) == 1\nassert True": "unconfirmed",
    "f([1]) +": "unsupported",
    "while f([1]) == 1: pass": "timeout_cpu",
}


async def test_judge_gives_the_verdict_a_plain_run_would(sandbox: Sandbox) -> None:
    program = """
def f(items): return sum(items)
def put(items, item): items.append(item)
def count(n):
    for number in range(n): yield number
def apply(g, n): return g(n)
def keys(items): return list(items)
def turn(items):
    for key in reversed(list(items)): items[key] = items.pop(key)
    return items
class Empty(Exception): pass
class Stack:
    def __init__(self): self.items = []
    def push(self, item): self.items.append(item)
    def pop(self):
        if not self.items: raise Empty('none')
        return self.items.pop()
    def __repr__(self): return f'Stack of {len(self.items)}'
    def __contains__(self, item): return item in self.items
    def __getitem__(self, at): return self.items[at]
    def __add__(self, n):
        made = Stack()
        made.items = [0] * n
        return made
    def __len__(self): return len(self.items)
    @property
    def size(self): return len(self.items)
"""
    [row] = await results_of(sandbox, SandboxJob((program,), as_tests(*JUDGED), "f"))
    assert dict(zip(JUDGED, map(str, row.outcomes), strict=True)) == JUDGED


async def test_compat_runs_the_test_beside_the_program(sandbox: Sandbox) -> None:
    case = "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertIs(f(KEY), KEY)"
    job = SandboxJob(
        ("KEY = object()\ndef f(x): return x", "KEY = 1\ndef f(x): return 2"), as_tests(case), "f", mode="compat"
    )
    assert [str(row.outcomes[0]) for row in await results_of(sandbox, job)] == ["passed", "failed"]
