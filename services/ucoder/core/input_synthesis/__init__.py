"""Input synthesis: finds out which inputs a function takes when there are no tests.

It reads the signature, the examples in the task's text, and how programs use the parameters.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from ucoder.core.input_synthesis.annotations import shape_of_annotation
from ucoder.core.input_synthesis.entry_points import Function, definitions, entry_point_of, positional
from ucoder.core.input_synthesis.shapes import Shape, narrowed, shape_of_values
from ucoder.core.input_synthesis.text_examples import TextExample, calls_in, literal_values, read_examples
from ucoder.core.input_synthesis.usage import shape_of_usage

__all__ = [
    "MOST_PROGRAMS", "Parameter", "Signature", "UnclearSignature", "entry_point_of", "programs_to_read",
    "read_signature",
]  # fmt: skip
MOST_PROGRAMS = 50
"""The number of programs that are read. More of them add no information."""
LONGEST_READ = 50_000
"""The limit of characters of a program that is read."""


class UnclearSignature(ValueError):
    """The error of a function whose inputs cannot be found out. Its text says what is missing."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of the call."""

    name: str
    shape: Shape
    keyword: bool = False
    """The argument is passed as `name=value`."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The way in which the function is called."""

    entry_point: str
    parameters: tuple[Parameter, ...]
    examples: tuple[TextExample, ...]
    """The examples in the task's text, with their results where it gives them."""


def read_signature(prompt: str, programs: Sequence[str], entry_point: str = "") -> Signature:
    """Reads the name of the function and the shape of each parameter.

    A shape comes from the annotation, narrowed by the examples; else from the examples' values; else from how most
    programs use the parameter; else from its default. Raises UnclearSignature when no function or no shape is found.
    """
    programs = programs_to_read(programs)
    name = entry_point or entry_point_of(prompt, programs)
    if not name:
        raise UnclearSignature(
            "entry_point: neither the prompt nor any program defines a function; name the one to call."
        )
    functions = list(definitions(prompt, programs, name))
    if not functions:
        raise UnclearSignature(f"entry_point: neither the prompt nor any program defines {name}.")
    documentation = next(filter(None, map(ast.get_docstring, functions)), "")
    examples = read_examples(prompt, name) or read_examples(documentation, name)
    calls = examples or list(calls_in(programs, name))
    parameters = []
    for place, argument in enumerate(positional(functions[0])):
        shape = _shape(functions, place, argument.arg, calls)
        parameters.append(Parameter(argument.arg, _required(shape, argument.arg, name)))
    for argument, default in zip(functions[0].args.kwonlyargs, functions[0].args.kw_defaults, strict=True):
        if default is None:
            shape = shape_of_annotation(argument.annotation)
            parameters.append(Parameter(argument.arg, _required(shape, argument.arg, name), keyword=True))
    return Signature(name, tuple(parameters), tuple(examples))


def programs_to_read(programs: Sequence[str]) -> list[str]:
    """Returns the first `MOST_PROGRAMS` distinct programs of at most `LONGEST_READ` characters."""
    distinct = dict.fromkeys(program for program in programs if len(program) <= LONGEST_READ)
    return list(distinct)[:MOST_PROGRAMS]


def _shape(functions: Sequence[Function], place: int, name: str, calls: Sequence[TextExample]) -> Shape | None:
    """Returns the shape of the positional parameter at a place, or None where none is found."""
    seen = [call.arguments[place] for call in calls if place < len(call.arguments)]
    seen += [value for call in calls for keyword, value in call.keywords if keyword == name]
    for function in functions:
        arguments = positional(function)
        declared = shape_of_annotation(arguments[place].annotation) if place < len(arguments) else None
        if declared is not None:
            return narrowed(declared, seen)
    without_default = len(positional(functions[0])) - len(functions[0].args.defaults)
    default = functions[0].args.defaults[place - without_default :][:1] if place >= without_default else []
    return shape_of_values(seen) or shape_of_usage(functions, place) or shape_of_values(literal_values(default) or ())


def _required(shape: Shape | None, name: str, entry_point: str) -> Shape:
    """Returns the shape of a parameter. Raises UnclearSignature where it is not known."""
    if shape is None:
        raise UnclearSignature(
            f"parameter {name}: neither annotation nor example nor use tells its type; annotate it, or add "
            f"`>>> {entry_point}(...)` with a value to the docstring."
        )
    return shape
