"""Checks that a program leaves the names of a test alone, which runs in one namespace with it."""

import ast
import builtins
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from ucoder.core.fork_safety.attribute_writes import bound_names

_REFLECTION = frozenset({"eval", "exec", "globals", "locals", "vars", "compile", "__import__", "setattr", "delattr"})
_BUILT_IN = frozenset(dir(builtins))
_EXPECT = frozenset({"raises", "assertRaises", "assertRaisesRegex", "suppress", "assertWarns", "warns"})


@dataclass(frozen=True, slots=True)
class Names:
    """The global names of one file."""

    read: frozenset[str]
    """Read anywhere in the file."""
    read_later: frozenset[str]
    """Read in functions, which run after other files may have set them."""
    set_later: frozenset[str]
    """Set in functions."""
    bound: dict[str, frozenset[str]] = field(default_factory=dict)
    """By name, how the file binds it at module level: `import math`, `from math import sqrt`, `class`, `other`."""
    caught: frozenset[str] = frozenset()
    """Named where exceptions are expected."""
    reflects: bool = False
    """Uses functions that reach names by their text."""

    @property
    def touched(self) -> frozenset[str]:
        """The names that the file binds or sets."""
        return self.set_later | self.bound.keys()


def leaves_names_alone(program: str, test: str) -> bool:
    """Returns whether a program without means leaves the names of a test alone."""
    one, other = names_of(program), names_of(test)
    if one is None:
        return True  # it fails before it runs
    if other is None or other.reflects or "*" in other.bound or "*" in one.bound:
        return False
    both_import = {
        name for name in one.bound.keys() & other.bound.keys()
        if one.bound[name] == other.bound[name] and all("import" in how for how in one.bound[name])
    }  # fmt: skip
    if (one.read_later & other.touched) - both_import or (one.touched & other.touched) - both_import:
        return False
    taken = other.read - other.touched
    return all(_is_harmless(name, one, name in other.caught) for name in taken & one.touched)


def _is_harmless(name: str, program: Names, caught: bool) -> bool:
    """Returns whether a test may use a name as the program binds it."""
    how = program.bound.get(name, frozenset({"other"}))
    if name in _BUILT_IN:
        return False
    if name in sys.stdlib_module_names:
        return how == {f"import {name}"}
    if caught:
        return how == {"class"}
    if any(part.startswith("from ") for part in how):
        return len(how) == 1
    return not name.lower().startswith(("assert", "check", "approx", "isclose", "allclose", "almost", "raises"))


@lru_cache(maxsize=4096)
def names_of(source: str) -> Names | None:
    """Returns the global names of a file; None for one that does not parse."""
    try:
        tree, table = ast.parse(source), symtable.symtable(source, "<file>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    read, read_later, set_later = set[str](), set[str](), set[str]()
    tables = [table]
    while tables:
        scope = tables.pop()
        tables += scope.get_children()
        for symbol in scope.get_symbols():
            top = scope is table
            if not (top or symbol.is_global()):
                continue
            if symbol.is_referenced():
                read.add(symbol.get_name())
                if not top:
                    read_later.add(symbol.get_name())
            if not top and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                set_later.add(symbol.get_name())
    bound: dict[str, set[str]] = {}
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    for node in ast.walk(tree):
        for name, how in _bindings(node):
            if name in own | {"*"}:
                bound.setdefault(name, set()).add(how)
    return Names(
        frozenset(read), frozenset(read_later), frozenset(set_later),
        {name: frozenset(bound.get(name, {"other"})) for name in own | ({"*"} & bound.keys())},
        frozenset(_caught(tree)), _reflects(tree),
    )  # fmt: skip


def _bindings(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0], f"import {alias.name}"
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, f"from {node.module} import {alias.name}"
    elif isinstance(node, ast.ClassDef):
        yield node.name, "class"
    else:
        for name in bound_names(node):
            if not isinstance(node, ast.Global | ast.Nonlocal | ast.arg | ast.alias):
                yield name, "other"


def _caught(tree: ast.Module) -> Iterator[str]:
    """Yields the names that a test gives where it expects exceptions."""
    for node in ast.walk(tree):
        expected: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler):
            expected = [node.type]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _EXPECT:
            expected = [*node.args[:1]]
        for one in filter(None, expected):
            yield from (part.id for part in ast.walk(one) if isinstance(part, ast.Name))


def _reflects(tree: ast.Module) -> bool:
    """Returns whether a test uses names by their text. `exec` in a namespace of its own does not."""
    scoped = {
        id(node.func) for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "exec" and len(node.args) > 1
    }  # fmt: skip
    return any(
        isinstance(node, ast.Name) and node.id in _REFLECTION and id(node) not in scoped for node in ast.walk(tree)
    )
