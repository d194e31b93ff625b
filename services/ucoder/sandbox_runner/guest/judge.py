"""The judge: runs a test that decides for itself, far from the program, which it sees only through what its calls
returned.

The program is not there at all. The test runs against a transcript: steps already done on the program, and their
results. When the test asks for a step that the transcript does not have, the judge goes on *scouting*: unknown
results stand in, every assert holds, and the steps the test would make are noted, so that one round on the program
usually answers them all. A test that ends without scouting has its verdict. So the program never meets an expected
value, and cannot touch the judge.
"""

import ast
import builtins
import importlib
import json
import sys
import unittest
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ucoder.core.values import canonical, parse
from ucoder.sandbox_runner.guest.block_replay import resolved
from ucoder.sandbox_runner.guest.proxies import Proxy, Stop, Unknown

MOST_STEPS = 400
_LIBRARY = {
    **dict.fromkeys("Counter defaultdict OrderedDict deque namedtuple ChainMap".split(), "collections"),  # noqa: SIM905
    **dict.fromkeys(("isclose", "sqrt", "inf", "nan", "pi"), "math"),
    **dict.fromkeys(("datetime", "date", "timedelta", "timezone"), "datetime"),
    **dict.fromkeys(("copy", "deepcopy"), "copy"),
    **{"Decimal": "decimal", "Fraction": "fractions", "reduce": "functools", "partial": "functools"},
    **dict.fromkeys(("permutations", "combinations", "product", "chain", "islice"), "itertools"),
}
_LIBRARY = {name: f"{module}:{name}" for name, module in _LIBRARY.items()}
_LIBRARY |= {"np": "numpy", "numpy": "numpy", "pd": "pandas", "pandas": "pandas", "plt": "matplotlib.pyplot"}
"""Names that tests use without an import, as `module:name` or a module."""
_EXPECT_EXCEPTIONS = ("assertRaises", "assertRaisesRegex", "raises")


class Unsupported(BaseException):
    """The test does something with the program that cannot be done by value."""


class Session:
    """One run of one test against one transcript: [[step, result], ...]."""

    def __init__(self, transcript: list[list[Any]]) -> None:
        self.transcript = transcript
        self.steps: list[list[str]] = []
        self.scouting = False
        self.refused = ""
        self.exceptions: dict[str, type[BaseException]] = {}
        """Of the program, by name, as far as the test names them."""

    def refuse(self, words: str) -> Any:
        """Gives the test up as unsupported, even if it catches everything."""
        self.refused = self.refused or words
        raise Unsupported(words)

    def step(self, operation: str, target: str, argument: str = "", args: Any = (), kwargs: Any = None) -> Any:
        """The result of a step: from the transcript, or an unknown one while scouting."""
        kwargs = kwargs or {}
        if len(self.steps) >= MOST_STEPS:
            if not self.scouting:
                self.refuse(f"more than {MOST_STEPS} steps")
            raise Stop
        step = [operation, target, argument, self.written(args), self.written(kwargs)]
        number = len(self.steps)
        self.steps.append(step)
        if not self.scouting and (number >= len(self.transcript) or self.known(number) != step):
            self.scouting = True
        if self.scouting:
            return Unknown(self, number)
        return self.answer(self.transcript[number][1], args, kwargs)

    def written(self, value: Any) -> str:
        """The text of arguments; gives up on those that are not whole in it."""
        text = canonical(value, refer=self.refer, ordered=True)
        if "<deep>" in text or "<cycle>" in text:
            parse(text, lambda name: self.refuse(f"a {name} argument") if name in ("deep", "cycle") else None)
        return text

    def known(self, number: int) -> list[str]:
        """A recorded step, with the values that its references stood for."""
        return resolved(self.transcript[number][0], [result for _, result in self.transcript[:number]])

    def answer(self, result: list[Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """What the test gets: the value, with changed arguments carried back, or the exception."""
        if result[0] == "x":
            _, name, message, bases = result
            kind = self.exceptions.get(name) or exception(name, bases)
            raise kind(message) if message else kind()
        _, text, changes = result
        for key, after in changes.items():
            value = args[int(key)] if key.isdigit() else kwargs[key]
            carry_back(value, parse(after, self.resolve))
        return parse(text, self.resolve)

    def resolve(self, reference: str) -> Any:
        return Proxy(self, reference) if reference[:1] == "#" else self.refuse("a value that cannot cross")

    def refer(self, value: Any) -> str:
        """How an argument that is no plain value is spoken of."""
        if type(value) is Proxy:
            return f"<{value._target}>"
        if type(value) is Unknown and value._number is not None:
            return f"<={value._number}>"
        if type(value) is Unknown:
            raise Stop
        return str(self.refuse(f"a {type(value).__name__} as an argument"))


def exception(name: str, bases: list[str]) -> type[BaseException]:
    """The exception of this name: a built-in one, or one like it made from its nearest built-in base."""
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, Exception):
        return known if known not in (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError) else ValueError
    base = next((getattr(builtins, base) for base in bases if base != "object"), Exception)
    return type(name, (base if issubclass(base, Exception) else Exception,), {})


def carry_back(value: Any, after: Any) -> None:
    """Makes a mutable argument hold what the program left in it."""
    if isinstance(value, list | bytearray):
        value[:] = after
    elif isinstance(value, dict | set):
        value.clear()
        value.update(after)


class _Asserts(ast.NodeTransformer):
    """`assert x` becomes a question that scouting answers with yes."""

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        question = ast.Lambda(ast.arguments([], [], None, [], [], None, []), node.test)
        asked = ast.Call(ast.Name("__holds__", ast.Load()), [question], [])
        made = ast.Assert(asked, node.msg)
        return ast.fix_missing_locations(ast.copy_location(made, node))


@dataclass(frozen=True, slots=True)
class _Names:
    """Names that a test reads, those it binds itself, those it calls, and those it expects as exceptions."""

    read: frozenset[str]
    bound: frozenset[str]
    called: frozenset[str]
    caught: frozenset[str]

    @classmethod
    def of(cls, tree: ast.Module) -> "_Names":
        called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        caught: list[ast.expr | None] = [node.type for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
        for node in called:
            if getattr(node.func, "attr", getattr(node.func, "id", "")) in _EXPECT_EXCEPTIONS:
                caught += node.args[:1]
        inner = [part for one in caught if one for part in ast.walk(one)]
        bound = frozenset(name for node in ast.walk(tree) for name in _bound(node))
        return cls(_loaded(ast.walk(tree)), bound, _loaded(node.func for node in called), _loaded(inner))


def _loaded(nodes: Iterable[ast.AST]) -> frozenset[str]:
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))


def _bound(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.alias):
        return [(node.asname or node.name).split(".")[0]]
    if isinstance(node, ast.arg):
        return [node.arg]
    return [node.id] if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) else []


def supplied(name: str, names: _Names, session: Session) -> Any:
    """What a test means by a name that it has not bound yet.

    What judges the program must not come from the program: the libraries' own names are the libraries', and an
    undefined `assert_equal` or `check` makes the test unsupported.
    """
    if name in names.bound or "*" in names.bound:
        return Proxy(session, f"@{name}")
    if name in names.caught:
        return session.exceptions.setdefault(name, exception(name, []))
    if name in _LIBRARY and (name in names.called or name not in sys.stdlib_module_names):
        module, _, attribute = _LIBRARY[name].partition(":")
        try:
            found = importlib.import_module(module)
        except ImportError:
            return session.refuse(f"{module} is not in the cell")
        return getattr(found, attribute) if attribute else found
    if name in sys.stdlib_module_names and name not in names.called:
        return importlib.import_module(name)
    if name.startswith("assert") or name in ("check", "approx", "allclose", "almost_equal", "raises"):
        return session.refuse(f"{name} is defined nowhere but perhaps in the program")
    return Proxy(session, f"@{name}")


def run(payload: str, limit: type[BaseException]) -> list[str]:
    """[status, text]: passed, failed, exception, unsupported; or `steps`, with the steps to do on the program next.

    `payload` is `{"source", "entry_point", "transcript"}`; `limit` is what the clock raises when the time is used up.
    """
    asked = json.loads(payload)
    session = Session(asked["transcript"])
    try:
        status, text = _verdict(asked["source"], asked["entry_point"], session)
    except Stop:
        status, text = "stopped", ""
    except Unsupported:
        status, text = "unsupported", ""
    except AssertionError as error:
        status, text = "failed", str(error)[:200]
    except limit:
        status, text = "unsupported", "the test itself ran out of time"
    except BaseException as error:
        status, text = "exception", f"!{type(error).__name__}: {str(error)[:200]}"
    if session.scouting and session.steps:
        return ["steps", json.dumps(session.steps)]
    if session.refused:
        return ["unsupported", session.refused]
    return [status, text]


def _verdict(source: str, entry_point: str, session: Session) -> tuple[str, str]:
    tree = ast.parse(source)
    names = _Names.of(tree)
    code = compile(_Asserts().visit(tree), "<test>", "exec", dont_inherit=True)
    namespace: dict[str, Any] = {"__name__": "test", "__builtins__": builtins}
    for name in names.read - {entry_point}:
        if not hasattr(builtins, name):
            namespace[name] = supplied(name, names, session)
    namespace[entry_point] = Proxy(session, f"@{entry_point}")

    def holds(question: Callable[[], Any]) -> bool:
        try:
            answer = bool(question())
        except Stop:
            return True
        return answer or session.scouting

    namespace["__holds__"] = holds
    exec(code, namespace)
    cases = [value for value in namespace.values() if isinstance(value, type) and issubclass(value, unittest.TestCase)]
    return unit_tests(cases)


def unit_tests(cases: list[type[unittest.TestCase]]) -> tuple[str, str]:
    """Runs the test methods of these classes; passed where there are none, for then the file itself was the test."""
    suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, cases))
    result = unittest.TestResult()
    suite.run(result)
    if result.errors:
        return "exception", result.errors[0][1][-300:]
    if result.failures:
        return "failed", result.failures[0][1][-300:]
    return "passed", ""
