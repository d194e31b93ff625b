"""Compares features that the task text mentions with those the program uses. No program runs.

Most samples may leave out the same part of a task and still agree. Only the text shows that; execution does not.
The comparison knows English only: in another language it finds no conditions and few common words.
"""

import ast
import keyword
import math
import re
from collections.abc import Sequence

from ucoder.core.extraction import DOCUMENTED, parse

CONDITIONS = frozenset(
    ["but", "else", "empty", "except", "if", "no", "none", "not", "only", "otherwise", "unless", "when", "without"]
)
"""Words by which English sets cases apart. They were chosen once and never tuned."""
_KEYWORDS = frozenset(word.lower() for word in keyword.kwlist)
_WORD = re.compile(r"[A-Za-z]+")
_EXAMPLE = re.compile(r"^[ \t]*>>>.*(?:\n[ \t]*\S.*)*", re.MULTILINE)


def docstrings_of(tree: ast.Module) -> str:
    """Returns all docstrings of a program, or the empty text where it has none."""
    texts = [ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
    return "\n\n".join(text for text in texts if text)


def text_of_task(task: str) -> str:
    """Returns a task's words: its docstrings where it is a code skeleton, else its text."""
    tree = parse(task) or parse(task + "\n    pass\n")
    return (docstrings_of(tree) if tree else "") or task


def condition_gap(text: str, nodes: Sequence[ast.AST]) -> float:
    """Returns ln((1 + conditions in the text) / (1 + decisions in the program)). Above 0 some cases are left open.

    nodes: all nodes of the program's tree without its docstrings.
    """
    conditions = sum(word in CONDITIONS for word in _words(text))
    return math.log((1 + conditions) / (1 + sum(map(_decisions, nodes))))


def word_coverage(text: str, nodes: Sequence[ast.AST]) -> float:
    """Returns the share (0 to 1) of a text's distinct words that the program's names and strings contain.

    Python's keywords do not count. Comments do not count either, because a comment may be false.
    nodes: all nodes of the program's tree without its docstrings.
    """
    task_words = set(_words(text)) - _KEYWORDS
    program_words = {word for node in nodes for name in _names_and_strings(node) for word in _words(name)}
    return len(task_words & program_words) / max(1, len(task_words))


def _words(text: str) -> list[str]:
    return _WORD.findall(_EXAMPLE.sub("", text).lower())


def _decisions(node: ast.AST) -> int:
    """Returns the number of branches, further operands of `and` and `or`, and filters. A loop decides nothing."""
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.ExceptHandler):
        return 1
    if isinstance(node, ast.comprehension):
        return len(node.ifs)
    return len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0


def _names_and_strings(node: ast.AST) -> list[str]:
    """Returns the names and strings that one node contains, without its children."""
    match node:
        case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text):
            return [text]
        case ast.FunctionDef(name=text) | ast.AsyncFunctionDef(name=text) | ast.ClassDef(name=text):
            return [text]
        case ast.keyword(arg=str(text)) | ast.Constant(value=str(text)) | ast.alias(name=text):
            return [text]
    return []
