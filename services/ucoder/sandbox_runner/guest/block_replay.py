"""The program's half of a test that decides for itself: the calls the judge made, done again on the program.

A step is `[operation, target, argument, arguments, keywords]`, all text: the target `@name` is a name of the program,
`#3` the third object that could not cross the boundary; arguments are canonical values, in which `<=2>` stands for
the value of step 2. A result is `["v", value, {argument: value after the call}]` or `["x", type, message, [built-in
bases]]`.
"""

import builtins
import operator
import re
from collections.abc import Callable
from itertools import islice
from types import ModuleType
from typing import Any

from ucoder.core.values import canonical, parse

CHUNK = 64
BINARY = frozenset("add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split())  # noqa: SIM905
MIRRORED = frozenset(f"r{name}" for name in BINARY)
OPERATORS = BINARY | MIRRORED | {"neg", "pos", "abs", "invert", "getitem", "setitem", "delitem", "contains"}
"""What may be done to an object of the program by an operator, as its method is called without the underscores."""
_MUTABLE = (list, dict, set, bytearray)
_REFERENCE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|<=(?P<number>\d+)>""")
"""A reference to a step's value; texts are matched too, so that what is written in one is left alone."""


_FRAMES = frozenset({"gi_frame", "cr_frame", "ag_frame", "tb_frame"})
_OF_CLASSES = frozenset({"mro", "register"})
"""These lead from a program to what it shares with others."""


class ReplayRefused(Exception):
    """A step that reaches past the program: no test of it may, for programs may share this interpreter."""


def resolved(step: list[str], results: list[list[Any]]) -> list[str]:
    """A step with its `<=2>` replaced by the values they stand for."""
    operation, target, argument, arguments, keywords = step

    def known(found: re.Match[str]) -> str:
        number = int(found["number"] or -1)
        return results[number][1] if 0 <= number < len(results) and results[number][0] == "v" else found[0]

    return [operation, target, argument, _REFERENCE.sub(known, arguments), _REFERENCE.sub(known, keywords)]


class BlockReplay:
    """Plays steps on one fresh namespace of a program."""

    def __init__(self, namespace: dict[str, Any], limit: int) -> None:
        self.namespace, self.limit = namespace, limit
        self.objects: list[Any] = []
        self.values: list[str] = []

    def play(self, step: list[str]) -> list[Any]:
        """One step's result; a program's exception is a result, a time-out or exhausted memory is not."""
        operation, target, argument, arguments, keywords = step
        try:
            positional = list(parse(arguments, self.resolve))
            named = parse(keywords, self.resolve)
            before = self.mutable(positional, named)
            value = _OPERATIONS[operation](self.resolve(target), argument, positional, named)
            text = canonical(value, self.limit, self.refer, ordered=True)
            after = self.mutable(positional, named)
        except (MemoryError, ReplayRefused):
            raise
        except Exception as error:
            self.values.append("")
            bases = [base.__name__ for base in type(error).__mro__ if vars(builtins).get(base.__name__) is base]
            return ["x", type(error).__name__, str(error)[:2000], bases]
        self.values.append(text)
        return ["v", text, {key: text for key, text in after.items() if before[key] != text}]

    def mutable(self, positional: list[Any], named: dict[str, Any]) -> dict[str, str]:
        """Texts of the arguments that a call may change in place."""
        arguments = {**{str(number): value for number, value in enumerate(positional)}, **named}
        return {
            key: canonical(value, self.limit, self.refer, ordered=True)
            for key, value in arguments.items()
            if isinstance(value, _MUTABLE)
        }

    def refer(self, value: Any) -> str:
        if isinstance(value, ModuleType):
            raise ReplayRefused
        number = next((number for number, known in enumerate(self.objects) if known is value), len(self.objects))
        if number == len(self.objects):
            self.objects.append(value)
        return f"<#{number}>"

    def resolve(self, reference: str) -> Any:
        kind, rest = reference[:1], reference[1:]
        if kind == "#":
            return self.objects[int(rest)]
        if kind == "=":
            return parse(self.values[int(rest)], self.resolve)
        if rest not in self.namespace:
            raise NameError(f"name {rest!r} is not defined")
        if rest.startswith("__") or isinstance(self.namespace[rest], ModuleType):
            raise ReplayRefused
        return self.namespace[rest]


def _attribute(target: Any, name: str) -> Any:
    if name.startswith("__") or name in _FRAMES or (name in _OF_CLASSES and isinstance(target, type)):
        raise ReplayRefused
    return getattr(target, name)


def _operated(target: Any, name: str, operands: list[Any]) -> Any:
    if name not in OPERATORS:
        raise ReplayRefused
    act = getattr(operator, f"__{name[1:] if name in MIRRORED else name}__")
    return act(operands[0], target) if name in MIRRORED else act(target, *operands)


_OPERATIONS: dict[str, Callable[[Any, str, list[Any], dict[str, Any]], Any]] = {
    "call": lambda target, _, positional, named: target(*positional, **named),
    "get": lambda target, attribute, positional, named: _attribute(target, attribute),
    "value": lambda target, _, positional, named: target,
    "len": lambda target, _, positional, named: len(target),
    "str": lambda target, _, positional, named: str(target),
    "repr": lambda target, _, positional, named: repr(target),
    "bool": lambda target, _, positional, named: bool(target),
    "next": lambda target, _, positional, named: next(target),
    "isinstance": lambda target, _, positional, named: isinstance(positional[0], target),
    "operator": lambda target, name, positional, named: _operated(target, name, positional),
    "iter": lambda target, _, positional, named: iter(target),
    "take": lambda target, _, positional, named: list(islice(target, CHUNK)),
}
