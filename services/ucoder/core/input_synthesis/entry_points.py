"""The function that is asked for, and where it is found: in the task's text, else in the programs."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ucoder.core.extraction import parse

Function = ast.FunctionDef | ast.AsyncFunctionDef


def entry_point_of(prompt: str, programs: Sequence[str] = (), tests: Sequence[str] = ()) -> str:
    """The name of the function: the last that the prompt opens, else what most tests call, else what most programs
    define at their top level (of several in one program, the last). Empty where nobody says."""
    opened = re.findall(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)[ \t]*\(", prompt, re.MULTILINE)
    if opened:
        return str(opened[-1])
    defined: Counter[str] = Counter()
    names: set[str] = set()
    for program in programs:
        found = [function.name for function in functions_of(program)]
        names |= set(found)
        defined.update(found[-1:])
    called: Counter[str] = Counter()
    for test in tests:
        tree = parse(test)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                called[node.func.id] += 1
    votes = called or defined
    return min(votes, key=lambda name: (-votes[name], name)) if votes else ""


def functions_of(program: str) -> list[Function]:
    """The functions at the top level of a program, in their order; none where it does not parse."""
    tree = parse(program)
    return [node for node in tree.body if isinstance(node, Function)] if tree else []


def definitions(prompt: str, programs: Sequence[str], entry_point: str) -> Iterator[Function]:
    """Every definition of the function: the prompt's first, then those of the programs that most agree with."""
    yield from (one for one in functions_of(_completed(prompt)) if one.name == entry_point)
    found = [[one for one in functions_of(program) if one.name == entry_point][-1:] for program in programs]
    some = [functions[0] for functions in found if functions]
    arity = Counter(len(one.args.posonlyargs) + len(one.args.args) for one in some)
    yield from sorted(some, key=lambda one: -arity[len(one.args.posonlyargs) + len(one.args.args)])


def _completed(prompt: str) -> str:
    """The prompt's code from its first opening on, with a body, so that it parses."""
    start = re.search(r"^(?:from |import |(?:async )?def |class |@)", prompt, re.MULTILINE)
    code = prompt[start.start() :] if start else ""
    fence = code.find("\n```")
    code = code[:fence] if fence >= 0 else code
    return next((text for text in (code, code + "\n    pass\n") if parse(text)), "")
