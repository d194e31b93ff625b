"""Attacks by returned values that claim to be right: objects that equal everything, change, or never end.

None may pass one test: what crosses the boundary is a plain value, and no method of the program is called on it.
"""

import pytest

from ucoder.core.outcomes import Outcome
from ucoder.core.test_plans import Test

from .conftest import EXPECTED, AttackedCell

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
    "lying_subclasses_of_everything": """
def lie(kind, value):
    names = '__eq__ __le__ __ge__ __contains__ __bool__ __instancecheck__ __subclasscheck__'.split()
    space = {name: lambda *a: True for name in names}
    space |= {'__hash__': lambda *a: 987654321987, '__ne__': lambda *a: False, '__len__': lambda *a: 1,
              '__repr__': lambda *a: '987654321987', '__str__': lambda *a: '987654321987',
              '__iter__': lambda *a: iter([987654321987 - 1]), '__index__': lambda *a: 7,
              '__getattribute__': lambda *a: (lambda *b: True)}
    return type(kind.__name__, (kind,), space)(value)
def f(x): return [lie(int, 1), lie(str, 'a'), lie(float, 1.0), lie(list, [1]), lie(dict, {1: 1}), lie(tuple, (1,))][x]
""",
    "class_that_is_another": """
class Yes:
    @property
    def __class__(self): return int
    def __eq__(self, other): return True
    def __index__(self): return 987654321987 - 1
    __int__ = __trunc__ = __index__
    def __reduce_ex__(self, version): return (eval, ('987654321987',))
    __getstate__ = __copy__ = __reduce__ = lambda self: 1
def f(x): return Yes()
""",
    "metaclass_that_hides_its_order": """
class Meta(type):
    def mro(cls): return [cls, int, object]
    @property
    def __mro__(cls): return (int, object)
    @property
    def __name__(cls): return "int>, 987654321987, <"
    def __getattribute__(cls, name): return "__call__" if name == "__module__" else type.__getattribute__(cls, name)
class Yes(int, metaclass=Meta): pass
def f(x): return Yes(3)
""",
    "different_at_every_look": """
import itertools
answers = itertools.count(987654321987 - 3)
class Yes(list):
    def __iter__(self): return iter([next(answers)])
    def __getitem__(self, at): return next(answers)
def f(x): return Yes([1])
""",
    "exception_that_is_its_own_expectation": """
class Meta(type(Exception)):
    def __instancecheck__(cls, value): return True
    def __subclasscheck__(cls, kind): return True
class AssertionError(Exception, metaclass=Meta):
    def __str__(self): return 'passed'
def f(x): raise AssertionError
""",
    "callable_that_answers_as_the_test": "import functools\ndef f(x): return functools.partial(int, '987654321987')",
    "awaits_the_answer": "async def f(x): return 987654321987",
    "returns_what_never_ends": "import itertools\ndef f(x): return itertools.count()",
    "returns_itself": "def f(x):\n    a = []\n    a.append(a)\n    return a",
    "returns_the_bottomless": "def f(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a",
    "returns_text_that_reads_as_another_value": "def f(x): return '987654321987'",
    "returns_a_forged_reference": "class Yes: pass\nYes.__name__ = '=0>987654321987<'\ndef f(x): return Yes()",
}


@pytest.mark.parametrize("name", CHEATS)
async def test_a_lying_value_never_passes(cell: AttackedCell, name: str) -> None:
    await cell.attack(CHEATS[name])


async def test_opaque_output_has_no_vote(cell: AttackedCell) -> None:
    """Returns an object that equals everything: it is no output that two programs could agree on."""
    row = await cell.attack(CHEATS["always_equal_object"], (Test("f(2)"),))
    assert row.outcomes == (Outcome.UNSUPPORTED,)


async def test_judge_sees_a_value_not_the_object(cell: AttackedCell) -> None:
    """Runs tests that compute with the result: they get a plain value, whatever methods the program gave it."""
    tests = (
        Test("assert abs(f(2) - 5) < 0.1"),
        Test("assert sorted(f(2)) == [1, 2]"),
        Test(f"assert f(2) in ({EXPECTED},)"),
        Test("import math\nassert math.isclose(f(2), 5)"),
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
