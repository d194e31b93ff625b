"""The maintainability and the documentation of a program: two quality measures that the paper leaves open."""

import ast
import io
import math
import tokenize

from ucoder.core.diversity import cyclomatic_complexity, tokens
from ucoder.core.extraction import DEFINITIONS, normal_tree, parse

DENSITY = 0.19
"""Mean share of comment lines in open source (Arafat and Riehle, The commenting practice of open source, 2009)."""


def maintainability(program: str) -> float:
    """Returns the maintainability index over its own maximum, 0 to 1, or 0 for a program that does not parse.

    The index is 171 - 5.2 ln V - 0.23 G - 16.2 ln L (Coleman et al., IEEE Computer 27(8), 1994) with V Halstead's
    volume over all tokens, G McCabe's number, L lines of code, all without comments and docstrings.
    """
    tree = parse(program)
    if tree is None:
        return 0.0
    normal_tree(tree, program)  # the tree has no docstrings from here on
    try:
        code = ast.unparse(tree)
    except RecursionError:
        return 0.0
    symbols = tokens(code)
    volume = len(symbols) * math.log2(max(2, len(set(symbols))))
    lines = sum(bool(line.strip()) for line in code.splitlines())
    index = 171 - 5.2 * math.log(max(1, volume)) - 0.23 * cyclomatic_complexity(tree) - 16.2 * math.log(max(1, lines))
    return min(1.0, max(0.0, index / 171))


def documentation(program: str) -> float:
    """Returns 0 to 1: half for the share of definitions with a docstring, half for comments up to `DENSITY`.

    A program that does not parse has 0.
    """
    tree = parse(program)
    if tree is None:
        return 0.0
    definitions = [node for node in ast.walk(tree) if isinstance(node, DEFINITIONS)]
    with_docstring = sum(ast.get_docstring(node) is not None for node in definitions)
    lines = sum(bool(line.strip()) for line in program.splitlines())
    density = _comment_lines(program) / max(1, lines)
    return (with_docstring / max(1, len(definitions)) + min(1.0, density / DENSITY)) / 2


def _comment_lines(program: str) -> int:
    """Returns the number of lines with a comment."""
    try:
        symbols = list(tokenize.generate_tokens(io.StringIO(program).readline))
    except (tokenize.TokenError, SyntaxError):  # the tokenizer refuses a few texts that the parser takes
        return 0
    return len({token.start[0] for token in symbols if token.type == tokenize.COMMENT})
