"""What a test asks: the text a caller wrote, read once into a plan that says what runs inside and what is compared
outside.
"""

import ast
import builtins
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LARGEST = 100_000
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
_MAKERS: dict[str, Callable[..., Any]] = {
    "set": set,
    "frozenset": frozenset,
    "list": list,
    "tuple": tuple,
    "dict": dict,
    "float": float,
    "complex": complex,
}


@dataclass(frozen=True, slots=True)
class Test:
    """One test as a caller writes it."""

    __test__ = False  # not a pytest class, whatever its name

    code: str = ""
    """`assert f(1) == 2`; `f(1)`, an input alone, whose output is reported and compared with nothing; any block of
    statements with asserts; or a whole unittest file in compat mode."""
    count: int = 1
    """How often the model wrote it."""
    stdin: str | None = None
    """Set: the program is run as a script with this input."""
    expected_stdout: str | None = None
    tolerance: float = 0.0
    """Absolute and relative difference allowed between floats; 0 compares as Python's `==` does."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call runs inside; what it returned is compared with `expected` outside. `relation` is empty for an input
    alone."""

    call: str
    relation: str = ""
    expected: Any = None
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """The program runs as a script; its output is compared outside, line by line, trailing blanks ignored."""

    stdin: str
    expected: str | None


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """Statements that decide for themselves: they run in the judge, far from the program."""

    source: str


@dataclass(frozen=True, slots=True)
class CompatPlan:
    """A whole file that runs beside the program and decides there: declared, and forgeable."""

    source: str


@dataclass(frozen=True, slots=True)
class BrokenPlan:
    """A test that cannot be read."""

    reason: str


Plan = CallPlan | ScriptPlan | BlockPlan | CompatPlan | BrokenPlan


def read(test: Test, entry_point: str = "", compat: bool = False) -> Plan:
    """The plan of one Python test; with `compat` any file runs beside the program."""
    if test.stdin is not None:
        return ScriptPlan(test.stdin, test.expected_stdout)
    try:
        body = ast.parse(test.code.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return BrokenPlan(f"the test does not parse: {error}")
    if not body:
        return BrokenPlan("the test is empty")
    if compat:
        return CompatPlan(test.code)
    if len(body) == 1:
        statement = body[0]
        if isinstance(statement, ast.Expr) and _is_call(statement.value, entry_point):
            return CallPlan(ast.unparse(statement.value))
        if isinstance(statement, ast.Assert):
            plan = _call_plan(statement.test, entry_point, test.tolerance)
            if plan is not None:
                return plan
    return BlockPlan(test.code)


def _call_plan(node: ast.expr, entry_point: str, tolerance: float) -> CallPlan | None:
    if _is_call(node, entry_point):
        return CallPlan(ast.unparse(node), "true", None, tolerance)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and _is_call(node.operand, entry_point):
        return CallPlan(ast.unparse(node.operand), "false", None, tolerance)
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return None
    left, relation, right = node.left, _COMPARISONS[type(node.ops[0])], node.comparators[0]
    if not _is_call(left, entry_point):
        if relation not in _MIRRORED:
            return None
        left, relation, right = right, _MIRRORED[relation], left
    if not _is_call(left, entry_point):
        return None
    try:
        expected = _constant(right)
    except (ValueError, TypeError, ArithmeticError, KeyError, RecursionError, MemoryError):
        return None
    return CallPlan(ast.unparse(left), relation, expected, tolerance)


def _is_call(node: ast.expr, entry_point: str) -> bool:
    """A call of the program's own function by its bare name. Its arguments are evaluated inside, so they may be
    anything that reads: they tell the program nothing but its input."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    if entry_point:
        return node.func.id == entry_point
    return not hasattr(builtins, node.func.id)


def _constant(node: ast.expr) -> Any:
    """The value of an expression made of literals, sums and products of them, and empty or literal `set(...)`,
    `float(...)`.

    Raises ValueError for any other expression, and for values larger than `LARGEST`.
    """
    if isinstance(node, ast.BinOp):
        left, right = _constant(node.left), _constant(node.right)
        if type(node.op) not in _ARITHMETIC or _grows(node.op, left, right) > LARGEST:
            raise ValueError("not a small constant")
        if isinstance(node.op, ast.Mod) and not isinstance(left, int | float):
            raise ValueError("string formatting is not a constant")
        return _ARITHMETIC[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        return _SIGNS[type(node.op)](_constant(node.operand))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _MAKERS[node.func.id](*map(_constant, node.args))
    if isinstance(node, ast.List):
        return [_constant(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_constant(item) for item in node.elts)
    if isinstance(node, ast.Set):
        return {_constant(item) for item in node.elts}
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError("not a literal")
        return {_constant(key): _constant(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Constant):
        return node.value
    raise ValueError("not a constant")


def _grows(op: ast.operator, left: Any, right: Any) -> int:
    """How large the result would be: items of a sequence, bits of an integer."""
    if isinstance(op, ast.Pow) and isinstance(left, int) and isinstance(right, int):
        return left.bit_length() * abs(right)
    if isinstance(op, ast.Mult) and isinstance(left, int) != isinstance(right, int):
        times, item = (left, right) if isinstance(left, int) else (right, left)
        return abs(times) * len(item) if hasattr(item, "__len__") else 0
    return 0
