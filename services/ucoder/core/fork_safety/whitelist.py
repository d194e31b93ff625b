"""The whitelist of a fork-safe program: modules with their members, methods, and nodes of the syntax tree."""

import ast


class NotForkSafe(Exception):
    """The error that says in words which part of a program is not fork-safe."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MODULES = """
math: *
cmath: *
itertools: *
bisect: *
collections.abc: *
__future__: annotations division print_function absolute_import unicode_literals generators with_statement \
    nested_scopes generator_stop
heapq: heappush heappop heapify heapreplace heappushpop merge nlargest nsmallest
copy: copy deepcopy
re: compile match fullmatch search sub subn split findall finditer escape error Pattern Match A I L M S X U ASCII \
    IGNORECASE MULTILINE DOTALL VERBOSE UNICODE
string: ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation \
    whitespace
collections: Counter OrderedDict defaultdict deque namedtuple ChainMap
functools: reduce lru_cache cache cmp_to_key partial
operator: add sub mul truediv floordiv mod pow neg pos abs and_ or_ xor not_ lt le eq ne ge gt itemgetter getitem \
    contains concat countOf indexOf
typing: Any List Dict Set FrozenSet Tuple Optional Union Callable Iterable Iterator Sequence Mapping MutableMapping \
    Deque DefaultDict Counter OrderedDict Generator Type TypeVar Text NamedTuple Literal Hashable Collection Sized \
    Container Generic AnyStr NoReturn SupportsInt SupportsFloat cast
fractions: Fraction
decimal: Decimal ROUND_HALF_UP ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_UP ROUND_DOWN ROUND_CEILING ROUND_FLOOR \
    InvalidOperation
statistics: mean median mode stdev pstdev variance pvariance fmean multimode
random: random randint randrange choice choices shuffle sample uniform seed gauss
datetime: datetime date time timedelta MINYEAR MAXYEAR
hashlib: md5 sha1 sha224 sha256 sha384 sha512
textwrap: wrap fill dedent indent shorten
argparse:
json:
logging:
os:
sys:
time:
unittest:
"""
"""The members of each module that a program may use: `*` for all public ones, none where it may only import it."""
MODULES = {name: _words(members) for name, members in (line.split(":") for line in _MODULES.strip().splitlines())}
FORBIDDEN_NAMES = _words(
    "open exec eval compile getattr setattr delattr globals locals vars input breakpoint exit quit help dir copyright "
    "credits license memoryview BaseException BaseExceptionGroup SystemExit KeyboardInterrupt GeneratorExit super"
)
DUNDER_METHODS = _words(
    "init str repr eq ne lt le gt ge hash len getitem setitem contains iter next call add sub mul truediv floordiv mod "
    "neg abs bool int float"
)
FRAME_PREFIXES = ("_", "gi_", "cr_", "ag_", "tb_", "f_", "co_", "func_")
FORBIDDEN_ATTRIBUTES = frozenset({"register", "mro", "format_map"})
ALLOWED_NODES = (
    ast.mod, ast.FunctionDef, ast.ClassDef, ast.Return, ast.Delete, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.For,
    ast.While, ast.If, ast.With, ast.Raise, ast.Try, ast.Assert, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal,
    ast.Expr, ast.Pass, ast.Break, ast.Continue, ast.expr, ast.expr_context, ast.boolop, ast.operator, ast.unaryop,
    ast.cmpop, ast.comprehension, ast.ExceptHandler, ast.arguments, ast.arg, ast.keyword, ast.alias, ast.withitem,
)  # fmt: skip
