"""What a task's text asks for and a program takes up: read off both, nothing is run.

Where most samples leave out the same part of a task they agree all the same: the text can tell, execution cannot.
English only; a text in another language states no conditions here, and its words are echoed by few names.
`nodes` are those of a program's tree without its docstrings.
"""

import ast
import keyword
import math
import re
from collections.abc import Sequence

from ucoder.core.extraction import parse

CONDITIONS = frozenset(
    ["but", "else", "empty", "except", "if", "no", "none", "not", "only", "otherwise", "unless", "when", "without"]
)
"""Words by which English sets cases apart: written down once, none was tried out."""
_KEYWORDS = frozenset(word.lower() for word in keyword.kwlist)
_WORD = re.compile(r"[A-Za-z]+")
_EXAMPLE = re.compile(r"^[ \t]*>>>.*(?:\n[ \t]*\S.*)*", re.MULTILINE)
_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


def said_in(tree: ast.Module) -> str:
    """All docstrings of a program; empty where it has none."""
    found = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, _DOCUMENTED)]
    return "\n\n".join(text for text in found if text)


def said_by(task: str) -> str:
    """What a task says in words: its docstrings where it is a skeleton, else its text."""
    tree = parse(task) or parse(task + "\n    pass\n")
    return (said_in(tree) if tree else "") or task


def open_cases(said: str, nodes: Sequence[ast.AST]) -> float:
    """ln((1 + conditions that a text states) / (1 + decisions that a program takes)): above 0 some are left open."""
    conditions = sum(word in CONDITIONS for word in _words(said))
    return math.log((1 + conditions) / (1 + sum(map(_decisions, nodes))))


def echo(said: str, nodes: Sequence[ast.AST]) -> float:
    """Share of a text's distinct words, Python's keywords aside, that a program's names and strings hold too.

    Comments do not count: nothing obliges them to be true.
    """
    asked = set(_words(said)) - _KEYWORDS
    used = {word for node in nodes for text in _texts(node) for word in _words(text)}
    return len(asked & used) / max(1, len(asked))


def idle(tree: ast.Module) -> bool:
    """Whether the last function or class, or a program without one, does nothing at all: samples that give up."""
    defined = [node for node in tree.body if isinstance(node, _DOCUMENTED)]
    return not any(map(_acts, ast.walk(defined[-1] if defined else tree)))


def _words(text: str) -> list[str]:
    return _WORD.findall(_EXAMPLE.sub("", text).lower())


def _decisions(node: ast.AST) -> int:
    """The branches, further operands of `and` and `or`, and filters of comprehensions; a loop decides nothing."""
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.ExceptHandler):
        return 1
    if isinstance(node, ast.comprehension):
        return len(node.ifs)
    return len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0


def _texts(node: ast.AST) -> list[str]:
    """The names and strings that one node spells."""
    match node:
        case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
            return [text]
        case ast.FunctionDef(name=text) | ast.AsyncFunctionDef(name=text) | ast.ClassDef(name=text):
            return [text]
        case ast.keyword(arg=str(text)) | ast.Constant(value=str(text)) | ast.alias(name=text):
            return [text]
    return []


def _acts(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    idle_ones = (*_DOCUMENTED, ast.Pass, ast.Import, ast.ImportFrom)
    return isinstance(node, ast.stmt) and not isinstance(node, idle_ones)
