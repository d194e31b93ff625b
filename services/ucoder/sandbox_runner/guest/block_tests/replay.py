"""The program's half of a block test: does on the program the steps that the test's judge asks for.

A step is five texts: `[operation, target, argument, arguments, keywords]`. The target `@name` is a name of the program,
`#3` its third object that could not cross the boundary, `=2` the value of step 2. Arguments and keywords are canonical
values, in which `<=2>` stands for the value of step 2.

An answer is `["v", value, {argument: value after the call}]`, or for an exception `["x", type, message, [built-in
bases], module, arguments]`.
"""

import builtins
import operator
import re
from collections.abc import Callable
from itertools import islice
from types import ModuleType
from typing import Any

from ucoder.core.values import TooLarge, canonical, parse

Step = list[str]
Answer = list[Any]
VALUE, RAISED = "v", "x"
"""The first item of an answer."""
CHUNK = 64
"""How many items of an iterator one step takes."""
BINARY = frozenset("add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split())  # noqa: SIM905
MIRRORED = frozenset(f"r{name}" for name in BINARY)
OPERATORS = BINARY | MIRRORED | {"neg", "pos", "abs", "invert", "getitem", "setitem", "delitem", "contains"}
"""What a step may do to an object of the program by an operator: the names of its methods without the underscores."""
_MUTABLE = (list, dict, set, bytearray)
_REFERENCE = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|<=(?P<number>\d+)>""")
"""A reference to a step's value. Quoted texts match too, so that what looks like a reference in a text stays as it is.
"""
_FRAMES = frozenset({"gi_frame", "cr_frame", "ag_frame", "tb_frame"})
_OF_CLASSES = frozenset({"mro", "register"})
"""Like frames, these lead from a program to what it shares with others."""


class ReplayRefused(Exception):
    """The step reaches past the program, which no test may do because programs may share this interpreter."""


def resolved(step: Step, answers: list[Answer]) -> Step:
    """Returns a step with the values in place of references like `<=2>`."""
    operation, target, argument, arguments, keywords = step

    def value_of(match: re.Match[str]) -> str:
        number = int(match["number"] or -1)
        return answers[number][1] if 0 <= number < len(answers) and answers[number][0] == VALUE else match[0]

    return [operation, target, argument, _REFERENCE.sub(value_of, arguments), _REFERENCE.sub(value_of, keywords)]


class BlockReplay:
    """Does steps on one fresh namespace of a program."""

    def __init__(self, namespace: dict[str, Any], limit: int) -> None:
        self.namespace, self.limit = namespace, limit
        self.objects: list[Any] = []
        self.values: list[str] = []

    def play(self, step: Step) -> Answer:
        """Does one step. A program's exception is an answer; a time-out, exhausted memory and ReplayRefused are
        raised.
        """
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
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            self.values.append("")
            bases = [base.__name__ for base in type(error).__mro__ if vars(builtins).get(base.__name__) is base]
            kind = type(error)
            return [RAISED, kind.__name__, str(error)[:2000], bases, str(kind.__module__), self.arguments_of(error)]
        self.values.append(text)
        return [VALUE, text, {key: text for key, text in after.items() if before[key] != text}]

    def arguments_of(self, error: BaseException) -> str:
        """Returns the text of the arguments that would make an exception again; empty where it cannot be written."""
        filename = (error.filename,) if isinstance(error, OSError) and error.filename is not None else ()
        try:
            return canonical((*error.args, *filename), 2000, self.refer)
        except (TooLarge, ReplayRefused):
            return ""

    def mutable(self, positional: list[Any], named: dict[str, Any]) -> dict[str, str]:
        """Returns the texts of the arguments that a call may change in place."""
        arguments = {**{str(number): value for number, value in enumerate(positional)}, **named}
        return {
            key: canonical(value, self.limit, self.refer, ordered=True)
            for key, value in arguments.items()
            if isinstance(value, _MUTABLE)
        }

    def refer(self, value: Any) -> str:
        """Returns the reference to an object that cannot cross the boundary, and keeps the object."""
        if isinstance(value, ModuleType):
            raise ReplayRefused
        number = next((number for number, known in enumerate(self.objects) if known is value), len(self.objects))
        if number == len(self.objects):
            self.objects.append(value)
        return f"<#{number}>"

    def resolve(self, reference: str) -> Any:
        """Returns the object that a reference stands for."""
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


def _apply_operator(target: Any, name: str, operands: list[Any]) -> Any:
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
    "operator": lambda target, name, positional, named: _apply_operator(target, name, positional),
    "iter": lambda target, _, positional, named: iter(target),
    "take": lambda target, _, positional, named: list(islice(target, CHUNK)),
}
