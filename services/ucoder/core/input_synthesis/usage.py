"""What a parameter must be, from what programs do with it: `x.lower()` is said to a string, `range(x)` to a number."""

import ast
from collections import Counter
from collections.abc import Iterable

from ucoder.core.input_synthesis.annotations import of_annotation
from ucoder.core.input_synthesis.shapes import Int, Many, Mapping, Shape, Text

_TEXT = frozenset(
    {"lower", "upper", "split", "rsplit", "strip", "lstrip", "rstrip", "startswith", "endswith", "replace", "isdigit"}
    | {"isalpha", "isalnum", "isupper", "islower", "swapcase", "title", "capitalize", "casefold", "encode", "rfind"}
    | {"find", "splitlines", "zfill", "isspace", "format"}
)
_LIST = frozenset({"append", "extend", "sort", "reverse", "insert"})
_DICT = frozenset({"items", "keys", "values", "get", "setdefault"})
_SET = frozenset({"add", "union", "intersection", "difference", "issubset", "issuperset"})
_OF_NUMBERS = frozenset({"sum"})
_OF_ANYTHING = frozenset({"len", "sorted", "enumerate", "reversed", "set", "list", "tuple", "max", "min", "zip", "map"})
_OF_A_NUMBER = frozenset({"range", "abs", "bin", "hex", "chr", "sqrt", "gcd", "factorial", "divmod", "round", "isqrt"})


def of_usage(functions: Iterable[ast.FunctionDef | ast.AsyncFunctionDef], place: int) -> Shape | None:
    """The shape that most of these functions treat their parameter at that place as; None where nobody shows."""
    votes: Counter[Shape] = Counter()
    for function in functions:
        arguments = [*function.args.posonlyargs, *function.args.args]
        if place < len(arguments):
            shape = _of_name(function, arguments[place].arg, 0)
            if shape is not None:
                votes[shape] += 1
    return votes.most_common(1)[0][0] if votes else None


def _of_name(scope: ast.AST, name: str, depth: int) -> Shape | None:
    """Specific signs win over general ones: anything can be measured by `len`, only a string is lowered."""
    hints: Counter[str] = Counter()
    items: set[str] = set()
    for node in ast.walk(scope):
        _note(node, name, hints, items)
        typed = _checked_type(node, name)
        if typed is not None:
            return typed
    for sign, shape in (("text", Text()), ("dict", Mapping(Text(), Int())), ("set", Many(set, Int()))):
        if hints[sign]:
            return shape
    if hints["list"] or hints["many"]:
        inner = None
        for item in () if hints["numbers"] or depth > 2 else sorted(items):
            inner = inner or _of_name(scope, item, depth + 1)
        return Many(list, inner or Int())
    return Int() if hints["number"] or _passed_on(scope, name) else None


def _passed_on(scope: ast.AST, name: str) -> bool:
    """The value is only handed out again, never looked into: anything will do."""
    reads = sum(_is(node, name) and isinstance(getattr(node, "ctx", None), ast.Load) for node in ast.walk(scope))
    handed = 0
    for node in ast.walk(scope):
        if isinstance(node, ast.Return | ast.Assign):
            handed += node.value is not None and _is(node.value, name)
        elif isinstance(node, ast.IfExp):
            handed += _is(node.body, name) + _is(node.orelse, name)
        elif isinstance(node, ast.List | ast.Tuple):
            handed += sum(_is(one, name) for one in node.elts)
    return 0 < reads == handed


def _note(node: ast.AST, name: str, hints: Counter[str], items: set[str]) -> None:
    if isinstance(node, ast.Attribute) and _is(node.value, name):
        for sign, methods in (("text", _TEXT), ("list", _LIST), ("dict", _DICT), ("set", _SET)):
            hints[sign] += node.attr in methods
    elif isinstance(node, ast.Call) and any(_is(argument, name) for argument in node.args):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        hints["many"] += called in _OF_ANYTHING or called in _OF_NUMBERS
        hints["numbers"] += called in _OF_NUMBERS
        hints["number"] += called in _OF_A_NUMBER
    elif isinstance(node, ast.For | ast.comprehension) and _is(node.iter, name):
        hints["many"] += 1
        if isinstance(node.target, ast.Name):
            items.add(node.target.id)
    elif isinstance(node, ast.Subscript) and _is(node.value, name):
        hints["many"] += 1
    elif isinstance(node, ast.BinOp | ast.Compare):
        _note_operation(node, name, hints)


def _note_operation(node: ast.BinOp | ast.Compare, name: str, hints: Counter[str]) -> None:
    sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.left, *node.comparators]
    if not any(_is(side, name) for side in sides):
        return
    others = [side for side in sides if not _is(side, name)]
    if any(isinstance(other, ast.Constant) and isinstance(other.value, str) for other in others):
        hints["text"] += not (
            isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and others[0] is sides[0]
        )
        hints["many"] += 1
    else:
        counts = isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add)
        whole = (isinstance(other, ast.Constant) and type(other.value) is int for other in others)
        hints["number"] += counts or any(whole)


def _checked_type(node: ast.AST, name: str) -> Shape | None:
    """`isinstance(x, str)` says it outright."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"):
        return None
    return of_annotation(node.args[1]) if len(node.args) == 2 and _is(node.args[0], name) else None


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
