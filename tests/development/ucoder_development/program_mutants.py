"""Mutants of a program: the same program with one small mistake each, as people and models make them.

Every mistake changes the syntax tree at one place, so the same program always has the same mutants in the same order.
"""

import ast
import copy
import itertools
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

_SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_IDENTITY: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Is, ast.Is: ast.Eq, ast.NotEq: ast.IsNot, ast.IsNot: ast.NotEq
}  # fmt: skip
_OTHER_ERRORS = {
    "ValueError": "TypeError", "TypeError": "ValueError", "KeyError": "IndexError", "IndexError": "KeyError",
    "StopIteration": "RuntimeError", "ZeroDivisionError": "ArithmeticError", "AttributeError": "LookupError",
}  # fmt: skip
_OTHER_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Div, ast.Div: ast.FloorDiv,
    ast.Mod: ast.FloorDiv,
}  # fmt: skip
_COPIES = frozenset({"list", "dict", "set", "tuple", "sorted", "deepcopy", "copy"})
SHARED = "_kept = {}"
"""The line that a program with a shared object begins with."""

Change = tuple[str, ast.AST | list[ast.stmt]]
"""The name of a mistake, and what stands in the tree instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A program with one mistake."""

    mistake: str
    code: str


def mutants(program: str, most: int) -> list[Mutant]:
    """Returns up to `most` distinct mutants, spread over the kinds of mistakes and then over the program's lines."""
    tree = ast.parse(program)
    by_kind: dict[str, list[tuple[int, ast.AST | list[ast.stmt]]]] = defaultdict(list)
    for number, node in enumerate(ast.walk(tree)):
        for mistake, new in _changes(node):
            by_kind[mistake].append((number, new))
    found, seen = list[Mutant](), {ast.unparse(tree)}
    start = zlib.crc32(program.encode())  # another first mistake for each program, so that every kind occurs often
    for turn in range(len(program)):
        kinds = sorted(kind for kind, places in by_kind.items() if places)
        for mistake in kinds[start % len(kinds) :] + kinds[: start % len(kinds)] if kinds else ():
            places = by_kind[mistake]
            number, new = places.pop(len(places) // 2 if turn % 2 else 0)
            code = _changed(program, number, new)
            if code not in seen and len(found) < most:
                seen.add(code)
                found.append(Mutant(mistake, code))
        if len(found) == most:
            break
    return found


def _changed(program: str, number: int, new: ast.AST | list[ast.stmt]) -> str:
    """Returns the program with another node, or other statements, at one place of `ast.walk`."""
    tree = ast.parse(program)
    target = next(itertools.islice(ast.walk(tree), number, None))
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(one is target for one in value):
                at = next(n for n, one in enumerate(value) if one is target)
                value[at : at + 1] = new if isinstance(new, list) else [new]
    text = ast.unparse(tree)
    return f"{SHARED}\n{text}" if "_kept." in text and SHARED not in text else text


def _changes(node: ast.AST) -> Iterator[Change]:
    """Yields the mistakes that can be made at one node."""
    yield from _changes_of_expression(node)
    yield from _changes_of_statement(node)


def _changes_of_expression(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(left, [operator], [right]):
            for name, table in (("another comparison", _SWAPPED), ("identity for equality", _IDENTITY)):
                if type(operator) in table:
                    yield name, ast.Compare(left, [table[type(operator)]()], [right])
        case ast.BinOp(left, operator, right) if type(operator) in _OTHER_OPERATORS:
            yield "another operator", ast.BinOp(left, _OTHER_OPERATORS[type(operator)](), right)
        case ast.BoolOp(operator, values):
            yield "and for or", ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.Constant(bool(value)):
            yield "another truth", ast.Constant(not value)
        case ast.Constant(int(value)):
            yield "off by one", ast.Constant(value + 1)
        case ast.Call(ast.Name(name), [ast.expr() as only], []) if name in _COPIES:
            yield "no copy", only
        case ast.Call(ast.Attribute(ast.expr() as of, "copy" | "deepcopy"), arguments, []):
            yield "no copy", arguments[0] if arguments else of
        case ast.Subscript(ast.expr() as of, ast.Slice(None, None, None)):
            yield "no copy", of
        case ast.Subscript(ast.expr() as of, ast.Slice(ast.expr(), end, step)):
            yield "off by one", ast.Subscript(of, ast.Slice(None, end, step), ast.Load())
        case ast.GeneratorExp(item, loops):
            yield "list for generator", ast.ListComp(item, loops)
        case ast.ListComp(item, loops):
            yield "generator for list", ast.GeneratorExp(item, loops)
            yield "set for list", ast.SetComp(item, loops)
        case ast.keyword("reverse" | "key" | "default" | "end" | "sep", _):
            yield "no keyword", []
        case ast.IfExp(test, body, orelse):
            yield "the other branch", ast.IfExp(test, orelse, body)


def _changes_of_statement(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Return(ast.expr() as value):
            if not isinstance(value, ast.Constant | ast.Name):
                key = ast.Constant(ast.unparse(value)[:40])
                kept = ast.Attribute(ast.Name("_kept", ast.Load()), "setdefault", ast.Load())
                yield "a shared object", ast.Return(ast.Call(kept, [key, value], []))
            yield "no return", ast.Expr(value)
            yield "a text for a value", ast.Return(ast.Call(ast.Name("str", ast.Load()), [value], []))
            yield "a list for a value", ast.Return(ast.List([value], ast.Load()))
        case ast.Raise(ast.Call(ast.Name(name), arguments, words) as error):
            yield "no error", [ast.Pass()]
            other = _OTHER_ERRORS.get(name, "RuntimeError")
            yield "another error", ast.Raise(ast.Call(ast.Name(other, ast.Load()), arguments, words), node.cause)
            if arguments:
                yield "another message", ast.Raise(ast.Call(error.func, [], []), node.cause)
        case ast.Expr(ast.Call(ast.Name("print"))):
            yield "no print", [ast.Pass()]
            yield "print twice", [node, node]
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Assign([ast.Attribute() | ast.Subscript()]) | ast.Delete():
            yield "a forgotten line", [ast.Pass()]
        case ast.Expr(ast.Yield(ast.expr() as value)):
            yield "yield twice", [node, node]
            yield "yield a list", ast.Expr(ast.Yield(ast.List([value], ast.Load())))
        case ast.If(test, body, orelse):
            yield "the other branch", ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
            yield "no condition", body
        case ast.FunctionDef(decorator_list=[_, *_]):
            bare = copy.copy(node)
            bare.decorator_list = []
            yield "no decorator", bare
        case ast.FunctionDef(name) if name.startswith("__") and name != "__init__":
            yield "no special method", [ast.Pass()]
        case ast.FunctionDef(body=[first, *_]) if not isinstance(first, ast.Expr):
            printing = copy.copy(node)
            line = ast.Expr(ast.Call(ast.Name("print", ast.Load()), [ast.Constant("debug")], []))
            printing.body = [line, *node.body]
            yield "a print left over", printing
        case ast.ClassDef(bases=[_, *_]):
            alone = copy.copy(node)
            alone.bases = []
            yield "no base class", alone
        case ast.Nonlocal() | ast.Global():
            yield "a local name", [ast.Pass()]
        case ast.With(body=body, items=[ast.withitem(optional_vars=None)]):
            yield "no context", body
