"""Which programs may share a fork: a strict whitelist over the syntax tree.

A *tame* program can neither leave something behind for the next one nor swallow a time-out. The whitelist is an
economy and never the security boundary: that is the cell; and after each program the interpreter's state is proved
unchanged. A *stateless* program may also keep its namespace from one test to the next, because no call of it can
change that.
"""

import ast
from dataclasses import dataclass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALL = frozenset({"*"})
_MODULES: dict[str, frozenset[str]] = {
    "math": _ALL,
    "cmath": _ALL,
    "itertools": _ALL,
    "bisect": _ALL,
    "collections.abc": _ALL,
    "__future__": _ALL,
    "heapq": _words("heappush heappop heapify heapreplace heappushpop merge nlargest nsmallest"),
    "copy": _words("copy deepcopy"),
    "re": _words(
        """
        compile match fullmatch search sub subn split findall finditer escape error Pattern Match A I L M S
        X U ASCII IGNORECASE MULTILINE DOTALL VERBOSE UNICODE
        """
    ),
    "string": _words(
        """
        ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable
        punctuation whitespace
        """
    ),
    "collections": _words("Counter OrderedDict defaultdict deque namedtuple ChainMap"),
    "functools": _words("reduce lru_cache cache cmp_to_key partial"),
    "operator": _words(
        """
        add sub mul truediv floordiv mod pow neg pos abs and_ or_ xor not_ lt le eq ne ge gt itemgetter
        getitem contains concat countOf indexOf
        """
    ),
    "typing": _words(
        """
        Any List Dict Set FrozenSet Tuple Optional Union Callable Iterable Iterator Sequence Mapping
        MutableMapping Deque DefaultDict Counter OrderedDict Generator Type TypeVar Text NamedTuple Literal
        Hashable Collection Sized Container Generic AnyStr NoReturn SupportsInt SupportsFloat cast
        """
    ),
    "fractions": _words("Fraction"),
    "decimal": _words(
        """
        Decimal ROUND_HALF_UP ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_UP ROUND_DOWN ROUND_CEILING ROUND_FLOOR
        InvalidOperation
        """
    ),
    "statistics": _words("mean median mode stdev pstdev variance pvariance fmean multimode"),
    "random": _words("random randint randrange choice choices shuffle sample uniform seed gauss"),
    "datetime": _words("datetime date time timedelta MINYEAR MAXYEAR"),
    "hashlib": _words("md5 sha1 sha224 sha256 sha384 sha512"),
    "textwrap": _words("wrap fill dedent indent shorten"),
}
_FORBIDDEN_NAMES = _words(
    """
    open exec eval compile getattr setattr delattr globals locals vars input breakpoint exit quit help
    dir copyright credits license memoryview BaseException BaseExceptionGroup SystemExit
    KeyboardInterrupt GeneratorExit super
    """
)
_DUNDER_METHODS = _words(
    """
    init str repr eq ne lt le gt ge hash len getitem setitem contains iter next call add sub mul truediv
    floordiv mod neg abs bool int float
    """
)
_FRAME_PREFIXES = ("_", "gi_", "cr_", "ag_", "tb_", "f_", "co_", "func_")
_FORBIDDEN_ATTRIBUTES = frozenset({"register", "mro", "format_map"})
_ALLOWED_NODES = (
    ast.mod, ast.FunctionDef, ast.ClassDef, ast.Return, ast.Delete, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For,
    ast.While, ast.If, ast.With, ast.Raise, ast.Try, ast.Assert, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal,
    ast.Expr, ast.Pass, ast.Break, ast.Continue, ast.expr, ast.expr_context, ast.boolop, ast.operator, ast.unaryop,
    ast.cmpop, ast.comprehension, ast.ExceptHandler, ast.arguments, ast.arg, ast.keyword, ast.alias, ast.withitem,
)  # fmt: skip
_JUMPS = (ast.Return, ast.Break, ast.Continue)
_IMMUTABLE = (ast.Constant, ast.UnaryOp, ast.Name, ast.Attribute)


@dataclass(frozen=True, slots=True)
class Nature:
    """What a program is allowed to share. `why` says in words what made it not tame."""

    tame: bool
    stateless: bool
    why: str = ""


class _NotTame(Exception):
    pass


def nature(program: str) -> Nature:
    """The nature of one program; one that does not parse is tame (it fails before it runs)."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return Nature(tame=True, stateless=True)
    except (RecursionError, MemoryError):
        return Nature(tame=False, stateless=False, why="nested too deep to read")
    try:
        _Check(tree)
    except (_NotTame, RecursionError) as error:
        return Nature(tame=False, stateless=False, why=str(error))
    return Nature(tame=True, stateless=_stateless(tree))


class _Check(ast.NodeVisitor):
    """Walks a tree and raises `_NotTame` at the first thing that is not on the whitelist."""

    def __init__(self, tree: ast.Module) -> None:
        self.modules: dict[str, str] = {}
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED_NODES) or isinstance(node, ast.Await):
                raise _NotTame(f"{type(node).__name__} is not tame")
            if isinstance(node, ast.Import):
                self.imported(node)
        self.visit(tree)

    def imported(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name not in _MODULES or ("." in alias.name and not alias.asname):
                raise _NotTame(f"import {alias.name}")
            self.modules[alias.asname or alias.name] = alias.name

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        allowed = _MODULES.get(node.module or "")
        if allowed is None or node.level:
            raise _NotTame(f"from {node.module} import")
        for alias in node.names:
            if allowed is _ALL and not alias.name.startswith("_"):
                continue
            if alias.name not in allowed:
                if alias.name == "*" and node.module == "typing":
                    continue
                raise _NotTame(f"from {node.module} import {alias.name}")

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in _FORBIDDEN_NAMES or (node.id.startswith("__") and node.id != "__name__"):
            raise _NotTame(f"the name {node.id}")
        if node.id in self.modules:
            raise _NotTame(f"the module {node.id} as a value")
        if node.id == "type" and isinstance(node.ctx, ast.Load):
            raise _NotTame("type as a value")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = node.attr
        if isinstance(node.value, ast.Name) and node.value.id in self.modules:
            allowed = _MODULES[self.modules[node.value.id]]
            if (
                not isinstance(node.ctx, ast.Load)
                or name.startswith("_")
                or (allowed is not _ALL and name not in allowed)
            ):
                raise _NotTame(f"{node.value.id}.{name}")
            return
        own = isinstance(node.value, ast.Name) and node.value.id == "self"
        if name in _FORBIDDEN_ATTRIBUTES or (
            name.startswith(_FRAME_PREFIXES) and not (own and not name.startswith("__"))
        ):
            raise _NotTame(f"the attribute {name}")
        if not isinstance(node.ctx, ast.Load) and not own:
            raise _NotTame(f"writes the attribute {name}")
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1 and not node.keywords:
            self.visit(node.args[0])
            return
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name.startswith("__") and node.name.strip("_") not in _DUNDER_METHODS:
            raise _NotTame(f"defines {node.name}")
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.keywords or node.decorator_list:
            raise _NotTame("a class with keywords or decorators")
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if not all(isinstance(kind, ast.Name | ast.Attribute) for kind in kinds):
            raise _NotTame("a handler that could swallow a time-out")
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        if any(isinstance(inner, _JUMPS) for part in node.finalbody for inner in ast.walk(part)):
            raise _NotTame("a finally that could swallow a time-out")
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        raise _NotTame("a with statement")


def _stateless(tree: ast.Module) -> bool:
    """No call can change what the next one sees: no mutable value at module or class level, no mutable default, no
    global."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global | ast.ClassDef | ast.Nonlocal):
            return False
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            defaults = [*node.args.defaults, *(value for value in node.args.kw_defaults if value)]
            if not all(isinstance(value, _IMMUTABLE) for value in defaults):
                return False
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            return False
    return all(_inert(statement) for statement in tree.body)


def _inert(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is None or isinstance(node.value, _IMMUTABLE)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
