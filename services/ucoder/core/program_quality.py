"""How maintainable and how documented a program is: two of the quality measures that the paper leaves open."""

import ast
import io
import math
import tokenize

from ucoder.core.diversity import cyclomatic_complexity, tokens
from ucoder.core.extraction import normal_tree, parse

DENSITY = 0.19
"""Mean share of comment lines in open source (Arafat and Riehle, The commenting practice of open source, 2009)."""
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def maintainability(program: str) -> float:
    """The maintainability index over its own maximum, 0 to 1; 0 for what does not parse.

    171 - 5.2 ln V - 0.23 G - 16.2 ln L (Coleman et al., IEEE Computer 27(8), 1994)
    with V Halstead's volume over all tokens, G McCabe's number, L lines of code; comments and docstrings aside.
    """
    tree = parse(program)
    if tree is None:
        return 0.0
    normal_tree(tree, program)  # from here on without docstrings
    try:
        code = ast.unparse(tree)
    except RecursionError:
        return 0.0
    found = tokens(code)
    volume = len(found) * math.log2(max(2, len(set(found))))
    lines = sum(bool(line.strip()) for line in code.splitlines())
    index = 171 - 5.2 * math.log(max(1, volume)) - 0.23 * cyclomatic_complexity(tree) - 16.2 * math.log(max(1, lines))
    return min(1.0, max(0.0, index / 171))


def documentation(program: str) -> float:
    """Half for the share of definitions with a docstring, half for comments up to DENSITY; 0 for no Python."""
    tree = parse(program)
    if tree is None:
        return 0.0
    definitions = [node for node in ast.walk(tree) if isinstance(node, _DEFINITIONS)]
    described = sum(ast.get_docstring(node) is not None for node in definitions)
    lines = sum(bool(line.strip()) for line in program.splitlines())
    density = _comments(program) / max(1, lines)
    return (described / max(1, len(definitions)) + min(1.0, density / DENSITY)) / 2


def _comments(program: str) -> int:
    """Lines with a comment."""
    try:
        found = list(tokenize.generate_tokens(io.StringIO(program).readline))
    except (tokenize.TokenError, SyntaxError):  # stricter than the parser on a few odd texts
        return 0
    return len({token.start[0] for token in found if token.type == tokenize.COMMENT})
