"""What a test holds in place of the program: names and objects of it (`Proxy`), and results not known yet (`Unknown`).

An object's own word about itself is never taken for equality or order; what its methods and operators return is a
value like any other.
"""

from collections.abc import Iterable
from typing import Any

from ucoder.sandbox_runner.guest.block_replay import CHUNK, OPERATORS


class Stop(BaseException):
    """Scouting cannot go on past this point."""


class Proxy:
    """A name of the program, or an object of its that cannot cross; everything done with it is a step."""

    def __init__(self, session: Any, target: str) -> None:
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
        return other is self or bool(plain(self) == other)

    def __hash__(self) -> int:
        return hash(self._target)

    def __instancecheck__(self, value: Any) -> bool:
        if type(value) not in (Proxy, Unknown):
            self._session.refuse("the class of a value that has crossed")
        return truth(self._session.step("isinstance", self._target, "", (value,)))


def truth(answer: Any) -> bool:
    """An answer as a condition; one not known yet is true."""
    return True if type(answer) is Unknown else bool(answer)


def plain(proxy: Proxy) -> Any:
    """The value behind a name of the program."""
    value = proxy._session.step("value", proxy._target) if proxy._target[0] == "@" else proxy
    if type(value) is Proxy:
        proxy._session.refuse("comparing an object of the program")
    return value


class Unknown:
    """A result not known yet: compares as true, adds up to another, and stops the scouting at anything else."""

    def __init__(self, session: Any, number: int | None) -> None:
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


def _refused(self: Proxy, *_: Any) -> Any:
    self._session.refuse("something done to an object of the program that cannot be done by value")


def _operator(name: str) -> Any:
    return lambda self, *args: self._session.step("operator", self._target, name, args)


def _give(kind: type, names: Iterable[str], method: Any) -> None:
    for name in names:
        setattr(kind, f"__{name}__", method(name) if method is _operator else method)


_give(Unknown, ("eq", "ne", "lt", "le", "gt", "ge"), _true)
_give(Unknown, OPERATORS | {"round"}, _derived)
_give(Unknown, "iter len int float index str repr format contains call hash enter next setitem".split(), _stop)  # noqa: SIM905
_give(Unknown, ("delitem", "instancecheck"), _stop)
_give(Proxy, OPERATORS - {"contains"}, _operator)
_give(Proxy, ("lt", "le", "gt", "ge", "setattr", "delattr", "enter", "exit", "await", "subclasscheck"), _refused)
