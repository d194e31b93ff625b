"""The judge of a block test: runs the test where the program is not, and knows only what the program's calls returned.

The test runs against a transcript: the steps already done on the program, and their answers. When the test asks for a
step that the transcript does not have, the judge begins to *record*: unknown results stand in, every assert holds, and
the steps that the test makes are noted, so that one round on the program usually answers them all. A test that ends
without recording has its verdict. So the program never meets an expected value, and cannot change the judge.
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
from ucoder.sandbox_runner.guest.block_tests.proxies import CannotContinue, Proxy, UnknownResult
from ucoder.sandbox_runner.guest.block_tests.replay import RAISED, Answer, Step, resolved
from ucoder.sandbox_runner.guest.cell_protocol import EXCEPTION, FAILED, NEEDS_STEPS, PASSED, STOPPED, UNSUPPORTED
from ucoder.sandbox_runner.guest.plain_tests import TestFile

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


class CannotJudge(BaseException):
    """The test does something with the program that cannot be done by value."""


class Session:
    """One run of one test against one transcript: [[step, answer], ...]."""

    def __init__(self, transcript: list[list[Any]]) -> None:
        self.transcript = transcript
        self.steps: list[Step] = []
        self.recording = False
        self.refused = ""
        self.exceptions: dict[str, type[BaseException]] = {}
        """Exceptions of the program that the test names, by name."""

    def refuse(self, reason: str) -> Any:
        """Gives the test up as unsupported, even if the test catches every exception."""
        self.refused = self.refused or reason
        raise CannotJudge(reason)

    def step(self, operation: str, target: str, argument: str = "", args: Any = (), kwargs: Any = None) -> Any:
        """Returns the result of a step: from the transcript, or an unknown one while recording."""
        kwargs = kwargs or {}
        if len(self.steps) >= MOST_STEPS:
            if not self.recording:
                self.refuse(f"more than {MOST_STEPS} steps")
            raise CannotContinue
        step = [operation, target, argument, self.text_of(args), self.text_of(kwargs)]
        number = len(self.steps)
        self.steps.append(step)
        if not self.recording and (number >= len(self.transcript) or self.recorded_step(number) != step):
            self.recording = True
        if self.recording:
            return UnknownResult(self, number)
        return self.result_of(operation, self.transcript[number][1], args, kwargs)

    def text_of(self, value: Any) -> str:
        """Returns the text of arguments; refuses values that are not complete in it."""
        text = canonical(value, refer=self.refer, ordered=True)
        if "<deep>" in text or "<cycle>" in text:
            parse(text, lambda name: self.refuse(f"a {name} argument") if name in ("deep", "cycle") else None)
        return text

    def recorded_step(self, number: int) -> Step:
        """Returns a step of the transcript, with the values in place of references."""
        return resolved(self.transcript[number][0], [answer for _, answer in self.transcript[:number]])

    def result_of(self, operation: str, answer: Answer, args: Any, kwargs: dict[str, Any]) -> Any:
        """Returns an answer's value, after changing the arguments that the call changed; or raises its exception."""
        if answer[0] == RAISED:
            _, name, message, bases, module, arguments = answer
            kind = self.exceptions.get(name) or library_exception(name, module) or exception(name, bases)
            if issubclass(kind, StopIteration | StopAsyncIteration) and operation not in ("next", "take"):
                self.refuse("an exception that would end a loop of the test")
            raise self.made(kind, message, arguments)
        _, text, changes = answer
        for key, after in changes.items():
            value = args[int(key)] if key.isdigit() else kwargs[key]
            replace_contents(value, parse(after, self.resolve))
        return parse(text, self.resolve)

    def made(self, kind: type[BaseException], message: str, arguments: str) -> BaseException:
        """Returns an exception of the program with its arguments, or with its message where they did not cross."""
        given = parse(arguments, self.resolve) if arguments else (message,)
        error = kind.__new__(kind, *given)
        error.args = given[:2] if isinstance(error, OSError) else given
        if isinstance(error, SystemExit):
            code: Any = None if not given else given[0] if len(given) == 1 else given
            error.code = code
        return error

    def resolve(self, reference: str) -> Any:
        """Returns the stand-in for an object of the program; refuses other values that cannot cross the boundary."""
        return Proxy(self, reference) if reference[:1] == "#" else self.refuse("a value that cannot cross")

    def refer(self, value: Any) -> str:
        """Returns the reference to an argument that is no plain value."""
        if type(value) is Proxy:
            return f"<{value._target}>"
        if type(value) is UnknownResult and value._number is not None:
            return f"<={value._number}>"
        if type(value) is UnknownResult:
            raise CannotContinue
        return str(self.refuse(f"a {type(value).__name__} as an argument"))


def exception(name: str, bases: list[str]) -> type[BaseException]:
    """Returns the built-in exception of this name, or makes one of this name from its nearest built-in base."""
    known = getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, Exception | SystemExit | KeyboardInterrupt):
        return known if known not in (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError) else ValueError
    base = next((getattr(builtins, base) for base in bases if base != "object"), Exception)
    return type(name, (base if issubclass(base, Exception) else Exception,), {})


def library_exception(name: str, module: str) -> type[BaseException] | None:
    """Returns an exception of a library that the test has imported too; none by which a runner of tests is told
    something.
    """
    library = sys.modules.get(module) if module.partition(".")[0] in sys.stdlib_module_names else None
    kind = vars(library).get(name) if library and module not in ("builtins", "unittest.case") else None
    telling = AssertionError | StopIteration | StopAsyncIteration | unittest.SkipTest
    return kind if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, telling) else None


def replace_contents(value: Any, after: Any) -> None:
    """Makes a mutable argument hold what the program left in it."""
    if isinstance(value, list | bytearray):
        value[:] = after
    elif isinstance(value, dict | set):
        value.clear()
        value.update(after)


class _Asserts(ast.NodeTransformer):
    """The rewriting of `assert x` into `assert __holds__(lambda: x)`, which is true while recording."""

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        condition = ast.Lambda(ast.arguments([], [], None, [], [], None, []), node.test)
        call = ast.Call(ast.Name("__holds__", ast.Load()), [condition], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Assert(call, node.msg), node))


@dataclass(frozen=True, slots=True)
class _Names:
    """The names that a test reads, those it binds itself, those it calls, and those it expects as exceptions."""

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


def object_named(name: str, names: _Names, session: Session) -> Any:
    """Returns what a test means by a name that it has not bound yet.

    What judges the program must not come from the program: names of the libraries mean the libraries' objects, and an
    undefined `assert_equal` or `check` makes the test unsupported.
    """
    if name in names.bound or "*" in names.bound:
        return Proxy(session, f"@{name}")
    if name in names.caught:
        return session.exceptions.setdefault(name, exception(name, []))
    if name in _LIBRARY and (name in names.called or name not in sys.stdlib_module_names):
        module, _, attribute = _LIBRARY[name].partition(":")
        try:
            library = importlib.import_module(module)
        except ImportError:
            return session.refuse(f"{module} is not in the cell")
        return getattr(library, attribute) if attribute else library
    if name in sys.stdlib_module_names and name not in names.called:
        return importlib.import_module(name)
    if name.startswith("assert") or name in ("check", "approx", "allclose", "almost_equal", "raises"):
        return session.refuse(f"{name} is defined nowhere but perhaps in the program")
    return Proxy(session, f"@{name}")


def run(payload: str, limit: type[BaseException]) -> list[str]:
    """Judges one transcript and returns [status, text]. Status `steps` means that the text lists the steps to do on the
    program next.

    `payload` is `{"source", "entry_point", "transcript"}`; `limit` is the exception that the timer raises when the time
    is used up.
    """
    request = json.loads(payload)
    session = Session(request["transcript"])
    try:
        status, text = _verdict(request["source"], request["entry_point"], session)
    except CannotContinue:
        status, text = STOPPED, ""
    except CannotJudge:
        status, text = UNSUPPORTED, ""
    except AssertionError as error:
        status, text = FAILED, str(error)[:200]
    except limit:
        status, text = UNSUPPORTED, "the test itself ran out of time"
    except BaseException as error:
        status, text = EXCEPTION, f"!{type(error).__name__}: {str(error)[:200]}"
    if session.recording and session.steps:
        return [NEEDS_STEPS, json.dumps(session.steps)]
    if session.refused:
        return [UNSUPPORTED, session.refused]
    if status == PASSED and not session.steps:
        return [UNSUPPORTED, "the test asks nothing of the program"]
    return [status, text]


def _verdict(source: str, entry_point: str, session: Session) -> tuple[str, str]:
    test, names = TestFile(source, _Asserts().visit), _Names.of(ast.parse(source))
    namespace: dict[str, Any] = {"__name__": "test", "__builtins__": builtins}
    for name in names.read - {entry_point}:
        if not hasattr(builtins, name):
            namespace[name] = object_named(name, names, session)
    namespace[entry_point] = Proxy(session, f"@{entry_point}")

    def holds(condition: Callable[[], Any]) -> bool:
        try:
            answer = bool(condition())
        except CannotContinue:
            return True
        return answer or session.recording

    namespace["__holds__"] = holds
    return test.run(namespace)
