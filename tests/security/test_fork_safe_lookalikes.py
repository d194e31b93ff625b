"""Attacks by programs that look fork-safe, share a process with others, and leave something for the next.

Each runs between two correct programs. The whitelist finds some of them, the check of the interpreter's state others,
and some cannot do what they try. Whichever it is, the correct programs give the results that they give alone.
"""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test
from ucoder.sandbox_runner.sandbox_job import Limits

from .conftest import MARKER, AttackedCell

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOKALIKES = {
    "makes_a_type_of_a_type": """
def endless(self):
    while True: pass
T = type(type(1))
kept = [T('X', (), {'__del__': endless})()]
def f(x): return x
""",
    "makes_a_type_of_a_star": """
def endless(self):
    while True: pass
kept = [type(*['X', (), {'__del__': endless}])()]
def f(x): return x
""",
    "is_handed_a_type_by_a_comparison": """
class Taker:
    def __eq__(self, other):
        kept.append(other('X', (), {'__exit__': print}))
        return True
kept = []
def f(x): return type(int) == Taker()
""",
    "changes_a_constant_of_re": "from re import I\ndef set(self): self._value_ = 0\nset(I)\ndef f(x): return x",
    "changes_a_form_of_typing": """
from typing import Optional, List
class A:
    def set(self): self._getitem = self._nparams = self._inst = 7
for form in (Optional, List):
    try: A.set(form)
    except Exception: pass
def f(x): return x
""",
    "changes_a_cached_alias": """
from typing import List
def set(self): self._name = 'Dict'
set(List[int])
def f(x): return x
""",
    "changes_a_class_of_the_library": """
from collections import Counter
class A:
    def set(self): self.most_common = lambda *a: ['lie']
A.set(Counter)
def f(x): return x
""",
    "leaves_a_generator_that_cleans_up_for_ever": """
def g():
    try: yield 1
    finally:
        while True: pass
kept = [g()]
next(kept[0])
kept.append(kept)
def f(x): return x
""",
    "leaves_garbage_to_be_collected_by_the_next": """
def f(x):
    held = [[n] for n in range(700000)]
    held.append(held)
    return x
""",
    "leaves_little_memory": """
def f(x):
    held = ['x' * (100 << 20)]
    held.append(held)
    return len(held[0])
""",
    "speaks_for_ever_when_it_fails": """
class Endless(Exception):
    def __str__(self):
        while True: pass
def f(x): raise Endless
""",
    "hashes_for_ever": "class A:\n    def __hash__(self):\n        while True: pass\ndef f(x): return {A(): 1}",
    "is_longer_than_it_is": """
class A:
    def __len__(self): return 10 ** 18
    def __iter__(self): return self
    def __next__(self): return self
def f(x): return list(A())
""",
    "binds_the_builtins_by_an_import": "import math as __builtins__\ndef f(x): return sum([x])",
    "binds_the_builtins_by_a_class": "class __builtins__:\n    sum = None\ndef f(x): return sum([x])",
    "defines_the_maker_of_classes": "def __build_class__(*a): return 1\nclass A: pass\ndef f(x): return x",
    "shadows_every_builtin": "sum = len = print = sorted = str = list = dict = None\ndef f(x): return x",
    "names_a_forbidden_name_in_another_alphabet": "def f(x): return ｅｖａｌ('__import__(\"os\").getpid()')",
    "reads_through_a_format": """
def f(x):
    return '{0.__globals__}'.format(f) + '{0.__init__.__globals__[sys].modules}'.format(f.__doc__ or ValueError())
""",
    "reads_through_a_format_specification": "def f(x): return f'{f:{f.__class__}}' + '%s' % f.__code__",
    "matches_a_pattern": """
def f(x):
    match x:
        case object(__class__=c): return c.__subclasses__()
""",
    "evaluates_in_an_annotation": "def f(x: __import__('builtins').__dict__.update(sum=None)): return x",
    "evaluates_in_a_default": "def f(x, y=[].append.__self__.__class__.__mro__[1].__subclasses__()): return len(y)",
    "evaluates_in_a_decorator": "@(lambda g: [g.__globals__.clear(), g][1])\ndef f(x): return x",
    "evaluates_in_the_body_of_a_class": "class A:\n    import builtins\n    builtins.sum = None\ndef f(x): return x",
    "floods_the_cache_of_patterns": "import re\ndef f(x): return len([re.compile('a' * n) for n in range(600)])",
    "seeds_the_random_numbers": "import random\nrandom.seed(4)\ndef f(x): return random.random()",
    "recurses": "def f(x): return f(x)",
    "raises_what_ends_programs": "def f(x): raise MemoryError('none left')",
    "raises_a_group": "def f(x): raise ExceptionGroup('x', [ValueError(), ExceptionGroup('y', [KeyError()])])",
    "catches_everything_by_another_name": """
Everything = ValueError.mro()[2]
def f(x):
    while True:
        try:
            while True: pass
        except Everything: pass
""",
    "registers_a_virtual_subclass": "from collections.abc import Sequence\nSequence.register(dict)\ndef f(x): return x",
    "appends_to_a_list_of_the_library": "import __future__\n__future__.all_feature_names.append(1)\ndef f(x): return x",
    "closes_over_the_next": "def f(x, seen=[]):\n    seen.append(x)\n    return seen",
}
CORRECT = """
import collections, math, re
from typing import Dict, List, Optional
def f(x: Optional[List[Dict[str, int]]]):
    held = [bytearray(1 << 20) for _ in range(40)]
    done = sum(n for n in range(300000))
    return [len(held), done, sum([1, 2]), re.findall('A', 'aA', re.I), str(Optional[List[int]]), math.floor(math.pi),
            collections.Counter('aab').most_common(1), sorted({3, 1}), x]
# {}
"""
LIMITS = Limits(cpu_seconds=0.4, wall_seconds=2.0, memory_mb=192)


async def test_programs_beside_lookalikes_give_the_results_that_they_give_alone(cell: AttackedCell) -> None:
    programs = [CORRECT.replace("{}", "first")]
    for number, program in enumerate(LOOKALIKES.values()):
        programs += [program, CORRECT.replace("{}", str(number))]
    tests = (Test("f(1)"), Test("assert f(2)[2] == 3"))
    rows = await cell.results(programs, tests, LIMITS)
    expected = (await cell.results([CORRECT.replace("{}", "alone")], tests, LIMITS))[0]
    assert expected.outcomes == (Outcome.RETURNED, Outcome.PASSED)
    for name, row in zip(["nobody", *LOOKALIKES], rows[::2], strict=True):
        assert (row.outcomes, row.outputs) == (expected.outcomes, expected.outputs), f"hurt by {name}"
    for name, row in zip(LOOKALIKES, rows[1::2], strict=True):
        assert Outcome.PASSED not in row.outcomes, name
        assert MARKER not in str(row.outputs), name


HOSTILE_TESTS = {
    # A test's call runs beside the program. Where it could touch what is shared, programs do not share.
    "patches_a_builtin": "f(__import__('builtins').__dict__.update(sum=lambda *a: 99))",
    "forges_reports_for_the_others": """f([__import__('os').write(200, len(d).to_bytes(4, 'big') + d) for d in
        [b'{"program": %d, "results": [["ok", "99", 0.0], ["ok", "99", 0.0]]}' % n for n in range(4)]])""",
    "binds_a_name": "f((sum := len))",
    # A block test asks for steps on the program: none leads out of it.
    "asks_for_globals": "x = f.__globals__",
    "asks_for_a_frame": "def g():\n    yield 1\nx = h(1)\ny = x.gi_frame",
    "asks_for_a_module": "x = m.sqrt(4)\nx = m.__loader__",
    "asks_for_a_builtin": "x = f(1)\nassert x\ny = __builtins__",
    "asks_for_the_order_of_classes": "x = A.mro()",
    "registers_a_class": "x = A.register(dict)",
    "spells_references": "assert f('<=0>') == f('<#0>') == f('<@__builtins__>')",
}
SHARING = "import math as m\nclass A: pass\ndef h(x):\n    yield x\ndef f(x): return [sum([1, 2]), m.floor(2.5)]\n# {}"


@pytest.mark.parametrize("name", HOSTILE_TESTS)
async def test_a_hostile_test_changes_no_verdict_of_another(cell: AttackedCell, name: str) -> None:
    programs = [SHARING.replace("{}", f"{name} {number}") for number in range(4)]
    rows = await cell.results(programs, (Test(HOSTILE_TESTS[name]), Test("f(3)")), LIMITS)
    assert {row.outputs[1] for row in rows} == {"[3, 2]"}
    assert {row.outcomes[1] for row in rows} == {Outcome.RETURNED}
    assert Outcome.INFRA_ERROR not in {row.outcomes[0] for row in rows}
    await cell.check_unharmed()
