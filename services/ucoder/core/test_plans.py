"""Test plans: each test is read once into a plan of what runs in the cell and what is compared outside it."""

import ast
import builtins
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ucoder.core import output_comparison
from ucoder.core.extraction import calls_name, parse_statement

LARGEST = 100_000
"""The largest expected value that is computed here: items of a sequence, or bits of an integer."""
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_MIRRORED = {"==": "==", "!=": "!=", "is": "is", "is not": "is not", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
_DISPLAYS: dict[type[ast.expr], Callable[..., Any]] = {ast.List: list, ast.Tuple: tuple, ast.Set: set}
_CONSTRUCTORS: dict[str, Callable[..., Any]] = {
    kind.__name__: kind for kind in (set, frozenset, list, tuple, dict, float, complex)
}
_BUILT_IN_METHODS = frozenset(
    name for kind in (str, bytes, bytearray, int, float, complex, list, tuple, dict, set, range) for name in dir(kind)
)


class WrittenTest(Protocol):
    """The part of a test that a matrix needs: its code, and how often the model wrote it (0 is read as 1)."""

    @property
    def code(self) -> str: ...
    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Test:
    """One test as a caller writes it."""

    __test__ = False  # pytest would take it for a test class

    code: str = ""
    """`assert f(1) == 2`; or `f(1)`, an input whose output is reported and compared with nothing; or any block of
    statements with asserts; or a whole unittest file in compat mode."""
    count: int = 1
    """How often the model wrote it."""
    stdin: str | None = None
    """When it is set, the program runs as a script with this input."""
    expected_stdout: str | None = None
    tolerance: float = 0.0
    """Allowed absolute and relative difference between floats. 0 compares as Python's `==` does."""
    comparison: str = ""
    """The rule by which outputs are compared, a name of `output_comparison.RULES`; empty for the default."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call that runs in the cell. Its result is compared with `expected` outside."""

    call: str
    relation: str = ""
    """A comparison operator, or `true` or `false` for a bare (negated) assert. Empty for an input alone."""
    expected: Any = None
    tolerance: float = 0.0
    tuples_as_lists: bool = False
    """Whether a returned tuple counts as a list, as LiveCodeBench has it."""


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """The program runs as a script. Its output is compared outside by a rule."""

    stdin: str
    expected: str | None
    rule: str = output_comparison.DEFAULT
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """Statements that decide by themselves. They run beside the program, and where needed in a judge process too."""

    source: str


@dataclass(frozen=True, slots=True)
class CompatPlan:
    """A whole test file that runs beside the program, whose word is believed: the program could forge its result."""

    source: str


@dataclass(frozen=True, slots=True)
class BrokenPlan:
    """A test that cannot be read."""

    reason: str


MODULE = "solution"
"""The module whose members mean those of the program: `from solution import f`."""


class PlainNames(ast.NodeTransformer):
    """Replaces what a test imports from the module of the program by the program's own names."""

    def __init__(self, module: str) -> None:
        self._module = module

    def visit_Import(self, node: ast.Import) -> ast.stmt | None:
        node.names = [alias for alias in node.names if (alias.name, alias.asname) != (self._module, None)]
        return node if node.names else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt]:
        if node.module != self._module:
            return node
        return [
            ast.copy_location(ast.Assign([ast.Name(alias.asname, ast.Store())], ast.Name(alias.name, ast.Load())), node)
            for alias in node.names
            if alias.asname and alias.asname != alias.name
        ]

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        of_module = isinstance(node.value, ast.Name) and node.value.id == self._module
        return ast.copy_location(ast.Name(node.attr, node.ctx), node) if of_module else node


Plan = CallPlan | ScriptPlan | BlockPlan | CompatPlan | BrokenPlan


def read_plan(test: Test, entry_point: str = "", compat: bool = False) -> Plan:
    """Reads the plan of one Python test. With `compat` any file is believed."""
    if test.stdin is not None:
        rule = test.comparison or output_comparison.DEFAULT
        if rule not in output_comparison.RULES:
            return BrokenPlan(f"no comparison is called {rule!r}; there are {', '.join(output_comparison.RULES)}")
        return ScriptPlan(test.stdin, test.expected_stdout, rule, test.tolerance)
    try:
        body = ast.parse(test.code.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return BrokenPlan(f"the test does not parse: {error}")
    if not body:
        return BrokenPlan("the test is empty")
    if compat:
        return CompatPlan(test.code)
    code = test.code
    if MODULE in code:
        tree = PlainNames(MODULE).visit(ast.Module(body, []))
        body, code = tree.body, ast.unparse(ast.fix_missing_locations(tree))
    match body:
        case [ast.Expr(call)] if _is_call(call, entry_point):
            return CallPlan(ast.unparse(call))
        case [ast.Assert(condition)] if plan := _call_plan(condition, entry_point, test.tolerance):
            return replace(plan, tuples_as_lists=test.comparison == "livecodebench")
    return BlockPlan(code)


def input_key(test: WrittenTest) -> str:
    """Returns a text that tests of one input share: the call that they make.

    It recognises `CALL`, `assert CALL`, `assert not CALL`, and one comparison by `==`, `!=` or `is` with the call on
    the left, or on the right when the left side is no call. Any other test has an input of its own.
    """
    match parse_statement(test.code):
        case ast.Expr(value):
            return ast.dump(value)
        case ast.Assert(ast.UnaryOp(ast.Not(), condition)) | ast.Assert(condition):
            match condition:
                case (
                    (ast.Call() as call)
                    | ast.Compare(ast.Call() as call, [ast.Eq() | ast.NotEq() | ast.Is()])
                    | ast.Compare(_, [ast.Eq() | ast.NotEq() | ast.Is()], [ast.Call() as call])
                ):
                    return ast.dump(call)
    return key_of_test(test)


def key_of_test(test: WrittenTest) -> str:
    """Returns the text that identifies a test: its code, with stdin and expected output where it has them."""
    stdin, stdout = getattr(test, "stdin", None), getattr(test, "expected_stdout", None)
    return test.code if stdin is None and stdout is None else "\0".join((test.code, stdin or "", stdout or ""))


def _call_plan(node: ast.expr, entry_point: str, tolerance: float) -> CallPlan | None:
    if _is_call(node, entry_point):
        return CallPlan(ast.unparse(node), "true", None, tolerance)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and _is_call(node.operand, entry_point):
        return CallPlan(ast.unparse(node.operand), "false", None, tolerance)
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return None
    left, relation, right = node.left, _COMPARISONS[type(node.ops[0])], node.comparators[0]
    if not _is_call(left, entry_point):
        left, relation, right = right, _MIRRORED.get(relation, ""), left
    if not relation or not _is_call(left, entry_point):
        return None
    try:
        expected = _constant_value(right)
    except (ValueError, TypeError, ArithmeticError, KeyError, RecursionError, MemoryError):
        return None
    if relation in ("is", "is not") and not any(expected is one for one in (None, True, False, Ellipsis)):
        return None  # identity does not leave a cell
    return CallPlan(ast.unparse(left), relation, expected, tolerance)


def _is_call(node: ast.expr, entry_point: str) -> bool:
    """Returns whether a node calls the program's function by its bare name, or a method of an object made by such a
    call: `f(1)`, `Solution().add(1, 2)`.

    The arguments may be any expression, because the cell evaluates them: they tell the program nothing but its input. A
    method that built-in values have too may belong to a result instead, and its arguments may be what is expected.
    """
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        own = not node.func.attr.startswith("__") and node.func.attr not in _BUILT_IN_METHODS
        return own and isinstance(node.func.value, ast.Call) and _is_call(node.func.value, entry_point)
    if entry_point:
        return calls_name(node, entry_point)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not hasattr(builtins, node.func.id)


def _constant_value(node: ast.expr) -> Any:
    """Returns the value of an expression made of literals, arithmetic, and calls like `set(...)` or `float(...)`.

    Raises ValueError or KeyError for any other expression, and ValueError for values larger than `LARGEST`.
    """
    if isinstance(node, ast.BinOp):
        left, right = _constant_value(node.left), _constant_value(node.right)
        if type(node.op) not in _ARITHMETIC or _result_size(node.op, left, right) > LARGEST:
            raise ValueError("not a small constant")
        if isinstance(node.op, ast.Mod) and not isinstance(left, int | float):
            raise ValueError("string formatting is not a constant")
        return _ARITHMETIC[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        return _SIGNS[type(node.op)](_constant_value(node.operand))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _CONSTRUCTORS[node.func.id](*map(_constant_value, node.args))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return _DISPLAYS[type(node)](map(_constant_value, node.elts))
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = map(_constant_value, filter(None, node.keys))
        return dict(zip(keys, map(_constant_value, node.values), strict=True))
    if isinstance(node, ast.Constant):
        return node.value
    raise ValueError("not a constant")


def _result_size(op: ast.operator, left: Any, right: Any) -> int:
    """Returns the size that a result would have: items of a sequence, or bits of an integer."""
    if isinstance(op, ast.Pow) and isinstance(left, int) and isinstance(right, int):
        return left.bit_length() * abs(right)
    if isinstance(op, ast.Mult) and isinstance(left, int) != isinstance(right, int):
        times, item = (left, right) if isinstance(left, int) else (right, left)
        return abs(times) * len(item) if hasattr(item, "__len__") else 0
    return 0
