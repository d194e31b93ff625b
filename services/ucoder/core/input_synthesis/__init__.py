"""What to call a function with when nobody wrote tests: from its signature, its examples and how programs use it."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from ucoder.core.input_synthesis.annotations import of_annotation
from ucoder.core.input_synthesis.entry_points import Function, definitions, entry_point_of
from ucoder.core.input_synthesis.shapes import Shape, narrowed, of_values
from ucoder.core.input_synthesis.text_examples import TextExample, calls_in, read_examples
from ucoder.core.input_synthesis.usage import of_usage

__all__ = [
    "MOST_PROGRAMS",
    "Parameter",
    "Signature",
    "UnclearSignature",
    "entry_point_of",
    "programs_to_read",
    "read_signature",
]
MOST_PROGRAMS = 50
"""Programs looked into; more say nothing new."""
LONGEST_READ = 50_000
"""Characters of a program that is looked into."""


class UnclearSignature(ValueError):
    """Nothing tells what the function takes; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of the call."""

    name: str
    shape: Shape
    keyword: bool = False
    """Passed as `name=value`."""


@dataclass(frozen=True, slots=True)
class Signature:
    """How the function is called."""

    entry_point: str
    parameters: tuple[Parameter, ...]
    examples: tuple[TextExample, ...]
    """From the task's text, with what they return where it says so."""


def read_signature(prompt: str, programs: Sequence[str], entry_point: str = "") -> Signature:
    """The call, a shape for each parameter: its annotation narrowed by the examples, else the examples' values, else
    what most programs use it as, else its default's.

    Raises Unclear: no function is found, or nothing tells about a parameter.
    """
    programs = programs_to_read(programs)
    name = entry_point or entry_point_of(prompt, programs)
    if not name:
        raise UnclearSignature(
            "entry_point: neither the prompt nor any program defines a function; name the one to call."
        )
    found = list(definitions(prompt, programs, name))
    if not found:
        raise UnclearSignature(f"entry_point: neither the prompt nor any program defines {name}.")
    said = read_examples(prompt, name)
    if not said:
        said = [example for text in _docstrings(found) for example in read_examples(text, name)]
    examples = list({example.call: example for example in said}.values())
    calls = examples or list(calls_in(programs, name))
    parameters = []
    for place, argument in enumerate(_positional(found[0])):
        parameters.append(Parameter(argument.arg, _shape(found, place, argument.arg, calls, name)))
    for argument, default in zip(found[0].args.kwonlyargs, found[0].args.kw_defaults, strict=True):
        if default is None:
            shape = of_annotation(argument.annotation)
            if shape is None:
                raise UnclearSignature(_missing(argument.arg, name))
            parameters.append(Parameter(argument.arg, shape, keyword=True))
    return Signature(name, tuple(parameters), tuple(examples))


def programs_to_read(programs: Sequence[str]) -> list[str]:
    """The first distinct programs of a length that can be read in passing."""
    distinct = dict.fromkeys(program for program in programs if len(program) <= LONGEST_READ)
    return list(distinct)[:MOST_PROGRAMS]


def _shape(found: Sequence[Function], place: int, name: str, calls: Sequence[TextExample], entry_point: str) -> Shape:
    seen = [call.arguments[place] for call in calls if place < len(call.arguments)]
    seen += [value for call in calls for keyword, value in call.keywords if keyword == name]
    for function in found:
        arguments = _positional(function)
        declared = of_annotation(arguments[place].annotation) if place < len(arguments) else None
        if declared is not None:
            return narrowed(declared, seen)
    shape = of_values(seen) or of_usage(found, place) or of_values(_defaults(found[0], place))
    if shape is None:
        raise UnclearSignature(_missing(name, entry_point))
    return shape


def _missing(name: str, entry_point: str) -> str:
    return (
        f"parameter {name}: neither annotation nor example nor use tells its type; annotate it, or add "
        f"`>>> {entry_point}(...)` with a value to the docstring."
    )


def _docstrings(found: Sequence[Function]) -> list[str]:
    texts = [ast.get_docstring(function) or "" for function in found]
    return list(dict.fromkeys(text for text in texts if text))[:1]


def _positional(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args]


def _defaults(function: Function, place: int) -> list[object]:
    defaults = function.args.defaults
    index = place - (len(_positional(function)) - len(defaults))
    try:
        return [ast.literal_eval(defaults[index])] if 0 <= index < len(defaults) else []
    except (ValueError, TypeError, SyntaxError):
        return []
