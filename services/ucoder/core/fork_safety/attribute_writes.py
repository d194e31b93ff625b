"""Checks that a program sets attributes of its own instances only.

`self.x = 1` looks harmless, but any object can be passed as `self`: `A.method(re.I)` would change a constant of the
library for every program that shares the interpreter. So a program may set attributes only in methods that are always
called on an instance. To make sure of that, its classes may be called, inherited from, caught and compared with, but
never used as values: then no method can be taken from a class.
"""

import ast
from collections.abc import Iterator

from ucoder.core.fork_safety.whitelist import MODULES, NotForkSafe

_CONTAINERS = MODULES["typing"] | {"list", "dict", "set", "tuple", "frozenset"}
_TYPE_TESTS = frozenset({"isinstance", "issubclass"})
_FIXED_NAMES = _TYPE_TESTS | {"property"}


def check_attribute_writes(tree: ast.Module, nodes: list[ast.AST]) -> None:
    """Raises `NotForkSafe` unless the program sets attributes of its own instances only. `nodes`: all of the tree."""
    methods = {method for node in nodes if isinstance(node, ast.ClassDef) for method in _methods(node)}
    writers = {method.name for method in methods if any(map(_is_write, _own_nodes(method)))}
    if not writers and not any(map(_is_write, nodes)):
        return
    inside = {id(inner) for method in methods for inner in _own_nodes(method)}
    if any(_is_write(node) and id(node) not in inside for node in nodes):
        raise NotForkSafe("sets an attribute outside a method of its own")
    setters = {id(inner) for method in methods for decorator in method.decorator_list for inner in ast.walk(decorator)}
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    for node in nodes:
        for name in bound_names(node):
            renamed = (
                name in _FIXED_NAMES
                or (name == "self" and not isinstance(node, ast.arg))
                or (name in _CONTAINERS and not isinstance(node, ast.alias))
                or (name in writers and not isinstance(node, ast.FunctionDef))
            )
            if renamed:
                raise NotForkSafe(f"rebinds {name}")
        loaded = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) else ""
        if loaded in writers | {"classmethod"} and id(node) not in setters:
            raise NotForkSafe(f"{loaded} as a value")
        if isinstance(node, ast.Attribute) and node.attr in classes:
            raise NotForkSafe(f"the class {node.attr} as an attribute")
    _ClassUseVisitor(classes, writers).visit(tree)


def bound_names(node: ast.AST) -> Iterator[str]:
    """Yields the names that this node, without its children, binds or declares."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names


def _is_write(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Yields the methods of a class whose first argument is always the instance."""
    properties: set[str] = set()
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef):
            plain = {ast.unparse(decorator) for decorator in inner.decorator_list}
            if "property" in plain:
                properties.add(inner.name)
            allowed = {"property"} | ({f"{inner.name}.setter"} if inner.name in properties else set())
            first = [*inner.args.posonlyargs, *inner.args.args][:1]
            if plain <= allowed and first and first[0].arg == "self":
                yield inner


def _own_nodes(method: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yields the nodes of a method that are in no function within it."""
    waiting: list[ast.AST] = list(method.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


class _ClassUseVisitor(ast.NodeVisitor):
    """The visitor that raises `NotForkSafe` where a class of the program is used as a value."""

    def __init__(self, classes: set[str], writers: set[str]) -> None:
        self.classes, self.writers = classes, writers

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.classes and isinstance(node.ctx, ast.Load):
            raise NotForkSafe(f"the class {node.id} as a value")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not (isinstance(node.value, ast.Name) and node.value.id in self.classes and node.attr not in self.writers):
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        asks = isinstance(node.func, ast.Name) and node.func.id in _TYPE_TESTS
        if not (isinstance(node.func, ast.Name) and node.func.id in self.classes):
            self.visit(node.func)
        for number, argument in enumerate(node.args):
            if not (asks and number == 1 and self.named(argument)):
                self.visit(argument)
        for keyword in node.keywords:
            self.visit(keyword)

    def visit_Raise(self, node: ast.Raise) -> None:
        for part in (node.exc, node.cause):
            if part and not self.named(part):
                self.visit(part)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for base in node.bases:
            if not self.named(base):
                self.visit(base)
        for statement in node.body:
            self.visit(statement)

    def visit_arg(self, node: ast.arg) -> None:
        self.annotation(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.annotation(node.annotation)
        for part in (node.target, node.value):
            if part:
                self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.annotation(node.returns)
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)

    def named(self, node: ast.expr) -> bool:
        """Returns whether a node is a name, or a tuple of names, of classes."""
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        return all(isinstance(part, ast.Name) for part in parts)

    def annotation(self, node: ast.expr | None) -> None:
        """Checks an annotation. It may name classes, because Python calls no code of the program to read it."""
        if node is None or isinstance(node, ast.Name | ast.Constant):
            return
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in _CONTAINERS:
            for part in node.slice.elts if isinstance(node.slice, ast.Tuple | ast.List) else [node.slice]:
                self.annotation(part)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            self.annotation(node.left)
            self.annotation(node.right)
        else:
            self.visit(node)
