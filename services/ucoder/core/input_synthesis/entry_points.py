"""Finds the function that a task asks for, and its definitions, in the task's text or in the programs."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ucoder.core.extraction import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef


def entry_point_of(prompt: str, programs: Sequence[str] = (), tests: Sequence[str] = ()) -> str:
    """Returns the name of the function, or the empty text where it is unknown.

    It is the last function that the prompt opens; else the one that most tests call; else the one that most programs
    define at their top level (of several in one program, the last).
    """
    opened = re.findall(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)[ \t]*\(", prompt, re.MULTILINE)
    if opened:
        return str(opened[-1])
    top_level = [[function.name for function in functions_of(program)] for program in programs]
    names = set().union(*top_level)
    nodes = (node for tree in map(parse, tests) if tree for node in ast.walk(tree) if isinstance(node, ast.Call))
    called = Counter(node.func.id for node in nodes if isinstance(node.func, ast.Name) and node.func.id in names)
    votes = called or Counter(own[-1] for own in top_level if own)
    return min(votes, key=lambda name: (-votes[name], name)) if votes else ""


def functions_of(program: str) -> list[Function]:
    """Returns the functions at the top level of a program in their order; none where it does not parse."""
    tree = parse(program)
    return [node for node in tree.body if isinstance(node, Function)] if tree else []


def definitions(prompt: str, programs: Sequence[str], entry_point: str) -> Iterator[Function]:
    """Yields every definition of the function: the prompt's, then the programs', the most common arity first."""
    yield from (function for function in functions_of(_completed(prompt)) if function.name == entry_point)
    own = [[f for f in functions_of(program) if f.name == entry_point][-1:] for program in programs]
    last = [functions[0] for functions in own if functions]
    arity = Counter(len(positional(function)) for function in last)
    yield from sorted(last, key=lambda function: -arity[len(positional(function))])


def positional(function: Function) -> list[ast.arg]:
    """Returns the parameters of a function that take positional arguments."""
    return [*function.args.posonlyargs, *function.args.args]


def _completed(prompt: str) -> str:
    """Returns the prompt's code with a body, so that it parses, or the empty text where it cannot."""
    start = re.search(r"^(?:from |import |(?:async )?def |class |@)", prompt, re.MULTILINE)
    code = prompt[start.start() :] if start else ""
    fence = code.find("\n```")
    code = code[:fence] if fence >= 0 else code
    return next((text for text in (code, code + "\n    pass\n") if parse(text)), "")
