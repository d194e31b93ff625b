"""The whitelist of programs that have no means to forge a pass beside a test, whatever the names of the test."""

import ast
import builtins
import importlib
from collections.abc import Callable, Iterator
from functools import cache

from ucoder.core.forgery.dataclasses_held import holds_its_fields, is_dataclass
from ucoder.core.fork_safety import WhitelistVisitor
from ucoder.core.fork_safety.attribute_writes import bound_names, check_attribute_writes
from ucoder.core.fork_safety.whitelist import MODULES, NotForkSafe
from ucoder.core.values import QUESTIONS

_METHODS = frozenset(f"__{name}__" for name in "init str repr len getitem setitem iter call hash bool".split())  # noqa: SIM905
"""The special methods that a class may define: what they return is a value, and none of them compares."""
_STOPPERS = frozenset({"StopIteration", "StopAsyncIteration", "AssertionError", "SkipTest"})
"""Exceptions that end a loop of the test without an error, or that speak for the test."""
_ALLOWED_NAMES = frozenset(
    {"SystemExit", "KeyboardInterrupt", "BaseException", "GeneratorExit", "input", "exit", "quit"}
)
_BASES = frozenset(
    name for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and name not in _STOPPERS
) | {"object", "NamedTuple", "ABC", "Enum", "IntEnum", "Generic"}  # fmt: skip
_HEAP_TYPE = 1 << 9
"""The flag of classes whose members can be set (Py_TPFLAGS_HEAPTYPE)."""
_WRAPS = "wraps"
"""Copies attributes from one function to another: allowed where a function of the program is decorated with it."""
_RECORDS = frozenset({"namedtuple", "NamedTuple"})
_MORE_MODULES = {
    "sys": frozenset({"exit", "maxsize", "version_info"}),
    "time": frozenset({"sleep", "time", "perf_counter", "monotonic"}),
    "json": frozenset({"loads", "dumps", "JSONDecodeError"}),
    "abc": frozenset({"ABC", "abstractmethod"}),
    "enum": frozenset({"Enum", "IntEnum", "auto", "unique"}),
    "dataclasses": frozenset({"dataclass", "field"}),
    "queue": frozenset({"Queue", "PriorityQueue", "Empty"}),
    "struct": frozenset({"pack", "unpack", "error", "calcsize"}),
    "random": frozenset({"Random"}),
    "warnings": frozenset({"warn"}),
    "functools": frozenset({_WRAPS}),
}
"""Modules that may disturb a neighbour, but not forge."""
_NONE = frozenset[str]()
_MODULES = {name: MODULES.get(name, _NONE) | _MORE_MODULES.get(name, _NONE) for name in (*MODULES, *_MORE_MODULES)}


def has_no_means(program: str, absent: Callable[[str], bool] = lambda module: False) -> bool:
    """Returns whether a program has no construct by which it could forge a pass. One that does not parse fails before
    it runs. absent: returns for a module's top-level name whether its import is certain to fail.
    """
    try:
        tree = ast.parse(program)
        nodes = list(ast.walk(tree))
        _MeansVisitor(tree, nodes, absent).visit(tree)
    except (SyntaxError, ValueError):
        return True
    except (NotForkSafe, RecursionError, MemoryError):
        return False
    return True


class _MeansVisitor(WhitelistVisitor):
    """The visitor that raises `NotForkSafe` at the first construct by which a program could forge a pass."""

    known = _MODULES

    def __init__(self, tree: ast.Module, nodes: list[ast.AST], absent: Callable[[str], bool]) -> None:
        self.own = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
        self.values = any(map(is_dataclass, nodes))
        self.writes_to_own = _writes_to_own(tree, nodes)
        super().__init__(nodes, absent)
        if self.values and not self.writes_to_own:
            raise NotForkSafe("a dataclass, and writes that could change what its equality compares")
        for node in nodes:
            if any(name in QUESTIONS or name in _STOPPERS for name in bound_names(node)):
                raise NotForkSafe("binds a name by which tests ask for a truth")

    def check_binding(self, node: ast.AST, name: str) -> None:
        if name not in ("__slots__", "__all__"):
            super().check_binding(node, name)

    def check_generators(self, nodes: list[ast.AST]) -> None:
        """Allows every generator, because no other program follows in the process."""

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in _STOPPERS or node.id in ("super", _WRAPS):
            raise NotForkSafe(f"the name {node.id}")
        if node.id not in _ALLOWED_NAMES and node.id not in ("__slots__", "__all__"):
            super().visit_Name(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        match node:
            case ast.Attribute(attr=name) if name == _WRAPS:
                raise NotForkSafe("functools.wraps that does not decorate a function of the program")
            case ast.Attribute(attr="__name__", value=value, ctx=ast.Load()) if not self.is_module(value):
                self.visit(_named_object(value))
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=[], keywords=[]), ctx=ast.Load()):
                if node.attr.startswith("__") and node.attr not in _METHODS:
                    raise NotForkSafe(f"super().{node.attr}")
            case ast.Attribute(value=ast.Constant(value=str(text)), attr="format") if (
                "." not in text and "[" not in text
            ):
                return
            case ast.Attribute(attr="format"):
                raise NotForkSafe("a format string that is not known")
            case ast.Attribute(ctx=ast.Store() | ast.Del(), attr=name) if not self.is_module(node.value):
                if (
                    name.startswith("__")
                    or name in QUESTIONS
                    or not (self.writes_to_own or name not in _library_names())
                ):
                    raise NotForkSafe(f"writes the attribute {name}")
                self.visit(node.value)
            case ast.Attribute(attr=name) if (
                name.startswith("_") and name[1:2] != "_" and not self.is_module(node.value)
            ):
                self.visit(node.value)
            case _:
                super().visit_Attribute(node)

    def is_module(self, node: ast.expr) -> bool:
        """Returns whether a node is an imported module."""
        return isinstance(node, ast.Name) and node.id in self.modules

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name == "next" and len(node.args) < 2:
            raise NotForkSafe("a StopIteration that would end a loop of the test")
        if name == "super":
            raise NotForkSafe("super() as a value")
        if any(keyword.arg in QUESTIONS for keyword in node.keywords):
            raise NotForkSafe("gives a value a method by which tests ask for a truth")
        if name in _RECORDS and (not all(map(_is_plain, node.args)) or any(word in QUESTIONS for word in _words(node))):
            raise NotForkSafe("a record with fields that are not known")
        if name == "dataclass" or (name == "field" and any(one.arg != "default_factory" for one in node.keywords)):
            raise NotForkSafe("a dataclass with options")
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name.startswith("__") and node.name not in _METHODS:
            raise NotForkSafe(f"defines {node.name}")
        for field, value in ast.iter_fields(node):
            for part in value if isinstance(value, list) else [value]:
                if field == "decorator_list" and (wrapped := _wrapped(part)):
                    self.visit(wrapped)
                elif isinstance(part, ast.AST):
                    self.visit(part)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if any(alias.name == _WRAPS and alias.asname for alias in node.names):
            raise NotForkSafe("functools.wraps under another name")
        super().visit_ImportFrom(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.keywords or not all(map(self.may_be_base, node.bases)):
            raise NotForkSafe("a class with other bases")
        if node.decorator_list and not (is_dataclass(node) and holds_its_fields(node)):
            raise NotForkSafe("a class that does not hold what it was given")
        for statement in node.body:
            self.visit(statement)

    def may_be_base(self, base: ast.expr) -> bool:
        """Returns whether a class may inherit from this one; none of a dataclass, whose equality it could change."""
        name = base.value if isinstance(base, ast.Subscript) else base
        return isinstance(name, ast.Name) and (name.id in _BASES or (name.id in self.own and not self.values))

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Allows every handler, because a swallowed time-out is noticed after the test."""
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        """Allows `with`, because no class may define what it does and the modules have no manager that swallows."""
        self.generic_visit(node)


def _writes_to_own(tree: ast.Module, nodes: list[ast.AST]) -> bool:
    """Returns whether a program sets attributes of its own instances only."""
    try:
        check_attribute_writes(tree, nodes)
    except (NotForkSafe, RecursionError):
        return False
    return True


def _wrapped(decorator: ast.expr) -> ast.expr | None:
    """Returns the function whose attributes `@wraps(function)` copies; None for any other decorator."""
    match decorator:
        case ast.Call(ast.Name(name) | ast.Attribute(ast.Name("functools"), name), [ast.Name() as only], []):
            return only if name == _WRAPS else None
    return None


def _named_object(node: ast.expr) -> ast.expr:
    """Returns x for `type(x)` and `x.__class__`, whose name alone is asked for; any other expression as it is."""
    match node:
        case ast.Call(ast.Name("type"), [argument], []) if not isinstance(argument, ast.Starred):
            return argument
        case ast.Attribute(value, "__class__"):
            return value
    return node


def _is_plain(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple):
        return all(map(_is_plain, node.elts))
    return isinstance(node, ast.Constant | ast.Name)


def _words(node: ast.Call) -> Iterator[str]:
    """Yields the words of the texts among a call's arguments: namedtuple's fields may be one text."""
    for argument in node.args:
        for part in ast.walk(argument):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from part.value.replace(",", " ").split()


@cache
def _library_names() -> frozenset[str]:
    """Returns the names that a program may not set, because they could mean members of a library or its classes."""
    names = {"prec", "rounding", "traps"}
    for name, allowed in _MODULES.items():
        module = importlib.import_module(name)
        members = {one for one in dir(module) if one in allowed or ("*" in allowed and not one.startswith("_"))}
        names |= members
        for kind in (getattr(module, one) for one in members):
            if isinstance(kind, type) and kind.__flags__ & _HEAP_TYPE:
                names |= set(dir(kind))
    return frozenset(names)
