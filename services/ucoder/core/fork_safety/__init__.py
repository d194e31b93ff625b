"""Fork safety: decides by a strict whitelist over the syntax tree which programs may share a fork.

A *fork-safe* program can neither leave state behind for the next program nor swallow a time-out. The whitelist saves
time and is never the security boundary: the cell is. After each program the runner also proves that the interpreter's
state is unchanged. A *stateless* program may even keep its namespace from one test to the next, because no call can
change that namespace.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass

from ucoder.core.fork_safety import whitelist
from ucoder.core.fork_safety.attribute_writes import bound_names, check_attribute_writes
from ucoder.core.fork_safety.whitelist import MODULES, NotForkSafe

__all__ = ["OWN_FORK", "ForkSafety", "WhitelistVisitor", "call_is_fork_safe", "check_program"]

_JUMPS = (ast.Return, ast.Break, ast.Continue)
_IMMUTABLE = (ast.Constant, ast.Name, ast.Attribute)


@dataclass(frozen=True, slots=True)
class ForkSafety:
    """The decision about one program."""

    may_share: bool
    """The program is fork-safe: it may share a fork with other programs."""
    stateless: bool
    """The program may keep its namespace between tests."""
    reason: str = ""
    """What makes the program unsafe, in words."""


OWN_FORK = ForkSafety(may_share=False, stateless=False, reason="a test is not fork-safe")
"""The decision about programs whose tests are not fork-safe: each runs in a fork of its own."""


def check_program(program: str, absent: Callable[[str], bool] = lambda module: False) -> ForkSafety:
    """Checks one program. One that does not parse is fork-safe, because it fails before it runs.

    absent: returns for a module's top-level name whether its import is certain to fail. Such an import is allowed.
    """
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return ForkSafety(may_share=True, stateless=True)
    except (RecursionError, MemoryError):
        return ForkSafety(may_share=False, stateless=False, reason="nested too deep to read")
    nodes = list(ast.walk(tree))
    try:
        WhitelistVisitor(nodes, absent).visit(tree)
        check_attribute_writes(tree, nodes)
    except (NotForkSafe, RecursionError) as error:
        return ForkSafety(may_share=False, stateless=False, reason=str(error))
    return ForkSafety(may_share=True, stateless=_stateless(tree, nodes))


def call_is_fork_safe(call: str) -> bool:
    """Returns whether a test's call may run in a shared fork: it leaves no state and binds no name."""
    return check_program(call).may_share and ":=" not in call


class WhitelistVisitor(ast.NodeVisitor):
    """The visitor that raises `NotForkSafe` at the first node that is not on the whitelist."""

    known = MODULES
    """The modules that a program may import, and their members that it may use."""

    def __init__(self, nodes: list[ast.AST], absent: Callable[[str], bool]) -> None:
        self.modules: dict[str, str] = {}
        self.absent = absent
        for node in nodes:
            if not isinstance(node, whitelist.ALLOWED_NODES) or isinstance(node, ast.Await):
                raise NotForkSafe(f"{type(node).__name__} is not fork-safe")
            if isinstance(node, ast.Import):
                self.imported(node)
            for name in bound_names(node):
                self.check_binding(node, name)
        self.classes = any(isinstance(node, ast.ClassDef) for node in nodes)
        self.check_generators(nodes)

    def check_binding(self, node: ast.AST, name: str) -> None:
        """Raises `NotForkSafe` where a node binds a name that Python itself gives a meaning."""
        if name.startswith("__") and not (isinstance(node, ast.FunctionDef) or name == "__name__"):
            raise NotForkSafe(f"binds {name}")

    def check_generators(self, nodes: list[ast.AST]) -> None:
        """Raises `NotForkSafe` where a generator may end while the next program runs."""
        yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)
        if yields and any(isinstance(node, ast.Try) and node.finalbody for node in nodes):
            raise NotForkSafe("a generator that could run its finally block during the next program")

    def imported(self, node: ast.Import) -> None:
        """Notes the modules that a node imports; raises `NotForkSafe` on one that is not on the whitelist."""
        for alias in node.names:
            if self.absent(alias.name.split(".")[0]):
                continue
            if alias.name not in self.known or ("." in alias.name and not alias.asname):
                raise NotForkSafe(f"import {alias.name}")
            self.modules[alias.asname or alias.name] = alias.name

    def allows(self, module: str, name: str) -> bool:
        """Returns whether a program may use this member of a module on the whitelist."""
        return name in self.known[module] or ("*" in self.known[module] and not name.startswith("_"))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module if node.module and not node.level else ""
        if module and self.absent(module.split(".")[0]):
            return
        if module not in self.known:
            raise NotForkSafe(f"from {node.module} import")
        for alias in node.names:
            if not self.allows(module, alias.name) and (module, alias.name) != ("typing", "*"):
                raise NotForkSafe(f"from {module} import {alias.name}")

    def visit_Name(self, node: ast.Name) -> None:
        special = node.id.startswith("__") and node.id.strip("_") and node.id != "__name__"
        if special or node.id in whitelist.FORBIDDEN_NAMES:
            raise NotForkSafe(f"the name {node.id}")
        if node.id in self.modules:
            raise NotForkSafe(f"the module {node.id} as a value")
        if node.id == "type" and isinstance(node.ctx, ast.Load):
            raise NotForkSafe("type as a value")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = node.attr
        if isinstance(node.value, ast.Name) and node.value.id in self.modules:
            if not isinstance(node.ctx, ast.Load) or not self.allows(self.modules[node.value.id], name):
                raise NotForkSafe(f"{node.value.id}.{name}")
            return
        own = isinstance(node.value, ast.Name) and node.value.id == "self"
        private = name.startswith(whitelist.FRAME_PREFIXES) and not (own and not name.startswith("__"))
        if private or name in whitelist.FORBIDDEN_ATTRIBUTES:
            raise NotForkSafe(f"the attribute {name}")
        if not isinstance(node.ctx, ast.Load) and not own:
            raise NotForkSafe(f"writes the attribute {name}")
        self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Allows `type(x)` in comparisons in which no method of the program can receive the type.

        A program that gets hold of `type` itself can make any class.
        """
        identity = all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops)
        for operand in (node.left, *node.comparators):
            match operand:
                case ast.Call(ast.Name("type"), [ast.Starred()], []):
                    self.visit(operand)
                case ast.Call(ast.Name("type"), [argument], []) if identity or not self.classes:
                    self.visit(argument)
                case _:
                    self.visit(operand)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name.startswith("__") and node.name.strip("_") not in whitelist.DUNDER_METHODS:
            raise NotForkSafe(f"defines {node.name}")
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.keywords or node.decorator_list:
            raise NotForkSafe("a class with keywords or decorators")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if not all(isinstance(kind, ast.Name | ast.Attribute) for kind in kinds):
            raise NotForkSafe("a handler that could swallow a time-out")
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        if any(isinstance(inner, _JUMPS) for part in node.finalbody for inner in ast.walk(part)):
            raise NotForkSafe("a finally that could swallow a time-out")
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        raise NotForkSafe("a with statement")


def _stateless(tree: ast.Module, nodes: list[ast.AST]) -> bool:
    """Returns whether no call can change what the next call sees.

    That is, no class, no mutable value at module level, no mutable default, no decorator, no `global` or `nonlocal`.
    """
    for node in nodes:
        if isinstance(node, ast.Global | ast.ClassDef | ast.Nonlocal):
            return False
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            return False
        if isinstance(node, ast.arguments) and not all(
            map(_immutable, filter(None, (*node.defaults, *node.kw_defaults)))
        ):
            return False
    return all(_changes_nothing(statement) for statement in tree.body)


def _changes_nothing(node: ast.stmt) -> bool:
    """Returns whether a module-level statement only defines functions and immutable values."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is None or _immutable(node.value)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _immutable(node: ast.expr) -> bool:
    signed = isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
    return signed or isinstance(node, _IMMUTABLE)
