"""The stand-ins that a block test holds: `Proxy` for names and objects of the program, `UnknownResult` for a result
that is not known yet.

What an object says about its own equality or order is never believed; what its methods and operators return is a value
like any other.
"""

from collections.abc import Iterable
from typing import Any

from ucoder.core.values import QUESTIONS
from ucoder.sandbox_runner.guest.block_tests.replay import CHUNK, OPERATORS


class CannotContinue(BaseException):
    """The test needs a result that is not known yet."""


class Proxy:
    """A name of the program, or one of its objects that cannot cross the boundary; every use of it is a step."""

    def __init__(self, session: Any, target: str) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_target", target)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.step("call", self._target, "", args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in QUESTIONS and self._target[0] == "#":
            self._session.refuse("a question to an object of the program that could always agree")
        return self._session.step("get", self._target, name)

    def __iter__(self) -> Any:
        iterator = self._session.step("iter", self._target)
        if type(iterator) is UnknownResult:
            raise CannotContinue
        while True:
            chunk = self._session.step("take", iterator._target) if type(iterator) is Proxy else list(iterator)
            if type(chunk) is UnknownResult:
                raise CannotContinue
            yield from chunk
            if len(chunk) < CHUNK:
                return

    def __next__(self) -> Any:
        return self._session.step("next", self._target)

    def __len__(self) -> int:
        return int(self._session.step("len", self._target))

    def __str__(self) -> str:
        return str(self._session.step("str", self._target))

    def __repr__(self) -> str:
        return str(self._session.step("repr", self._target))

    def __contains__(self, item: Any) -> bool:
        return truth(self._session.step("operator", self._target, "contains", (item,)))

    def __bool__(self) -> bool:
        return truth(self._session.step("bool", self._target))

    def __eq__(self, other: object) -> bool:
        if self._target[0] == "#" and type(other) is not Proxy:
            return False
        return other is self or bool(value_of(self) == other)

    def __hash__(self) -> int:
        return hash(self._target)

    def __instancecheck__(self, value: Any) -> bool:
        if type(value) not in (Proxy, UnknownResult):
            self._session.refuse("the class of a value that has crossed")
        return truth(self._session.step("isinstance", self._target, "", (value,)))


def truth(answer: Any) -> bool:
    """Returns an answer as a condition; one that is not known yet is true."""
    return True if type(answer) is UnknownResult else bool(answer)


def value_of(proxy: Proxy) -> Any:
    """Returns the value behind a name of the program; refuses an object, which has none."""
    value = proxy._session.step("value", proxy._target) if proxy._target[0] == "@" else proxy
    if type(value) is Proxy:
        proxy._session.refuse("comparing an object of the program")
    return value


class UnknownResult:
    """A result that is not known yet: comparisons with it are true, arithmetic gives another, and anything else raises
    CannotContinue.
    """

    def __init__(self, session: Any, number: int | None) -> None:
        self._session, self._number = session, number

    def __getattr__(self, name: str) -> Any:
        raise CannotContinue

    def __bool__(self) -> bool:
        return True


def _true(self: UnknownResult, *_: Any) -> bool:
    return True


def _unknown(self: UnknownResult, *_: Any) -> UnknownResult:
    return UnknownResult(self._session, None)


def _cannot_continue(self: UnknownResult, *_: Any, **__: Any) -> Any:
    raise CannotContinue


def _refused(self: Proxy, *_: Any) -> Any:
    self._session.refuse("something done to an object of the program that cannot be done by value")


def _operator(name: str) -> Any:
    return lambda self, *args: self._session.step("operator", self._target, name, args)


def _set_methods(kind: type, names: Iterable[str], method: Any) -> None:
    for name in names:
        setattr(kind, f"__{name}__", method(name) if method is _operator else method)


_set_methods(UnknownResult, ("eq", "ne", "lt", "le", "gt", "ge"), _true)
_set_methods(UnknownResult, OPERATORS | {"round"}, _unknown)
_set_methods(
    UnknownResult,
    "iter len int float index str repr format contains call hash enter next setitem".split(),  # noqa: SIM905
    _cannot_continue,
)
_set_methods(UnknownResult, ("delitem", "instancecheck"), _cannot_continue)
_set_methods(Proxy, OPERATORS - {"contains"}, _operator)
_set_methods(Proxy, ("lt", "le", "gt", "ge", "setattr", "delattr", "enter", "exit", "await", "subclasscheck"), _refused)
