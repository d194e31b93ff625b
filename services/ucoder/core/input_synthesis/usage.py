"""Infers a parameter's shape from how programs use it: `x.lower()` needs a string, `range(x)` a number."""

import ast
from collections import Counter
from collections.abc import Iterable

from ucoder.core.extraction import calls_name
from ucoder.core.input_synthesis.annotations import shape_of_annotation
from ucoder.core.input_synthesis.entry_points import Function, positional
from ucoder.core.input_synthesis.shapes import Collection, Dictionary, Int, Shape, Text

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


def shape_of_usage(functions: Iterable[Function], place: int) -> Shape | None:
    """Returns the shape that most of these functions use the parameter at a place as, or None where none shows it."""
    named = ((function, argument.arg) for function in functions for argument in positional(function)[place : place + 1])
    votes = Counter(shape for function, name in named if (shape := _of_name(function, name, 0)))
    return votes.most_common(1)[0][0] if votes else None


def _of_name(scope: ast.AST, name: str, depth: int) -> Shape | None:
    """Returns the shape that a name is used as. Specific hints beat general ones: only a string has `lower`."""
    hints: Counter[str] = Counter()
    items: set[str] = set()
    for node in ast.walk(scope):
        _note(node, name, hints, items)
        if calls_name(node, "isinstance") and len(node.args) == 2 and _is_name(node.args[0], name):
            typed = shape_of_annotation(node.args[1])
            if typed is not None:
                return typed
    for hint, shape in (("text", Text()), ("dict", Dictionary(Text(), Int())), ("set", Collection(set, Int()))):
        if hints[hint]:
            return shape
    if hints["list"] or hints["many"]:
        looked_into = [] if hints["numbers"] or depth > 2 else sorted(items)
        found = (inner for item in looked_into if (inner := _of_name(scope, item, depth + 1)))
        return Collection(list, next(found, Int()))
    return Int() if hints["number"] or _passed_on(scope, name) else None


def _passed_on(scope: ast.AST, name: str) -> bool:
    """Returns whether the value is only passed on and never looked into, so that any value is possible."""
    reads = sum(_is_name(node, name) and isinstance(getattr(node, "ctx", None), ast.Load) for node in ast.walk(scope))
    passed = 0
    for node in ast.walk(scope):
        if isinstance(node, ast.Return | ast.Assign):
            passed += node.value is not None and _is_name(node.value, name)
        elif isinstance(node, ast.IfExp):
            passed += _is_name(node.body, name) + _is_name(node.orelse, name)
        elif isinstance(node, ast.List | ast.Tuple):
            passed += sum(_is_name(element, name) for element in node.elts)
    return 0 < reads == passed


def _note(node: ast.AST, name: str, hints: Counter[str], items: set[str]) -> None:
    """Adds the hints that one node gives about a name, and the names of its items."""
    if isinstance(node, ast.Attribute) and _is_name(node.value, name):
        for hint, methods in (("text", _TEXT), ("list", _LIST), ("dict", _DICT), ("set", _SET)):
            hints[hint] += node.attr in methods
    elif isinstance(node, ast.Call) and any(_is_name(argument, name) for argument in node.args):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        hints["many"] += called in _OF_ANYTHING or called in _OF_NUMBERS
        hints["numbers"] += called in _OF_NUMBERS
        hints["number"] += called in _OF_A_NUMBER
    elif isinstance(node, ast.For | ast.comprehension) and _is_name(node.iter, name):
        hints["many"] += 1
        if isinstance(node.target, ast.Name):
            items.add(node.target.id)
    elif isinstance(node, ast.Subscript) and _is_name(node.value, name):
        hints["many"] += 1
    elif isinstance(node, ast.BinOp | ast.Compare):
        _note_operation(node, name, hints)


def _note_operation(node: ast.BinOp | ast.Compare, name: str, hints: Counter[str]) -> None:
    """Adds the hints of an operation or comparison in which the name is a side."""
    sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.left, *node.comparators]
    if not any(_is_name(side, name) for side in sides):
        return
    others = [side for side in sides if not _is_name(side, name)]
    kinds = {type(other.value) for other in others if isinstance(other, ast.Constant)}
    if str in kinds:
        member = isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and others[0] is sides[0]
        hints["text"] += not member
        hints["many"] += 1
    else:
        counts = isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Add)
        hints["number"] += counts or int in kinds


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
