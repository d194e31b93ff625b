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
from collections.abc import Callable
from types import CodeType
from typing import Any

from ucoder.core.values import canonical, parse
from ucoder.sandbox_runner.guest.steps import resolved

MOST_STEPS = 400


class Stop(BaseException):
    """Scouting cannot go on past this point."""


class Unsupported(BaseException):
    """The test does something with the program that cannot be done by value."""


class Session:
    """One run of one test against one transcript: [[step, result], ...]."""

    def __init__(self, transcript: list[list[Any]]) -> None:
        self.transcript = transcript
        self.steps: list[list[str]] = []
        self.scouting = False
        self.refused = ""

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
            raise exception(name, bases)(message) if message else exception(name, bases)()
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


class Proxy:
    """A name of the program, or an object of its that cannot cross; everything done with it is a step."""

    def __init__(self, session: Session, target: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_target", target)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.step("call", self._target, "", args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.step("get", self._target, name)

    def __iter__(self) -> Any:
        iterator = self._session.step("iter", self._target)
        if type(iterator) is Unknown:
            raise Stop
        while True:
            chunk = self._session.step("take", iterator._target) if type(iterator) is Proxy else list(iterator)
            if type(chunk) is Unknown:
                raise Stop
            yield from chunk
            if len(chunk) < 64:
                return

    def __next__(self) -> Any:
        return self._session.refuse("next() of an object of the program")

    def __len__(self) -> int:
        return int(self._session.step("len", self._target))

    def __str__(self) -> str:
        return str(self._session.step("str", self._target))

    def __getitem__(self, key: Any) -> Any:
        return self._session.step("item", self._target, "", (key,))

    def __bool__(self) -> bool:
        return True if self._target[0] == "#" else bool(plain(self))

    def __eq__(self, other: object) -> bool:
        if self._target[0] == "#" and type(other) is not Proxy:
            return False  # an object's own word about itself is never taken
        return other is self or plain(self) == other

    def __hash__(self) -> int:
        return hash(self._target)


def plain(proxy: Proxy) -> Any:
    """The value behind a name of the program."""
    value = proxy._session.step("value", proxy._target) if proxy._target[0] == "@" else proxy
    if type(value) is Proxy:
        proxy._session.refuse("comparing an object of the program")
    return value


class Unknown:
    """A result not known yet: compares as true, adds up to another, and stops the scouting at anything else."""

    def __init__(self, session: Session, number: int | None) -> None:
        self._session, self._number = session, number

    def __getattr__(self, name: str) -> Any:
        raise Stop

    def __bool__(self) -> bool:
        return True


def _true(self: Unknown, *_: Any) -> bool:
    return True


def _derived(self: Unknown, *_: Any) -> Unknown:
    return Unknown(self._session, None)


def _stop(self: Unknown, *_: Any, **__: Any) -> Any:
    raise Stop


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Unknown, f"__{_name}__", _true)
for _name in "add sub mul truediv floordiv mod pow and or xor".split():  # noqa: SIM905
    setattr(Unknown, f"__{_name}__", _derived)
    setattr(Unknown, f"__r{_name}__", _derived)
for _name in ("abs", "neg", "pos", "invert", "round", "getitem"):
    setattr(Unknown, f"__{_name}__", _derived)
for _name in "iter len int float index str repr format contains call hash enter next setitem".split():  # noqa: SIM905
    setattr(Unknown, f"__{_name}__", _stop)


class _Asserts(ast.NodeTransformer):
    """`assert x` becomes a question that scouting answers with yes."""

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        question = ast.Lambda(ast.arguments([], [], None, [], [], None, []), node.test)
        asked = ast.Call(ast.Name("__holds__", ast.Load()), [question], [])
        made = ast.Assert(asked, node.msg)
        return ast.fix_missing_locations(ast.copy_location(made, node))


def names(tree: ast.Module) -> set[str]:
    """Every name the test reads."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def compiled(source: str) -> tuple[CodeType, set[str]]:
    """The test's code, and the names it reads."""
    tree = ast.parse(source)
    read = names(tree)
    return compile(_Asserts().visit(tree), "<test>", "exec", dont_inherit=True), read


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
    code, read = compiled(source)
    namespace: dict[str, Any] = {"__name__": "test", "__builtins__": builtins}
    for name in read | {entry_point}:
        if name != entry_point and name in sys.stdlib_module_names:
            namespace[name] = importlib.import_module(name)
        elif name == entry_point or not hasattr(builtins, name):
            namespace[name] = Proxy(session, f"@{name}")

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
