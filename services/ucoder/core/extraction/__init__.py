"""Extracts a program from a completion: from fences, from prose, or by joining it to the prompt that it continues.

It also gives the normal form of a program, which is equal for equal syntax trees without docstrings and comments.
It judges nothing: a text without a program is returned as it is, and fails where it runs.
"""

import ast
import builtins
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import TypeGuard

from ucoder.core.extraction.answer_blocks import answer_text, code_blocks

DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DOCUMENTED = ast.Module | DEFINITIONS
"""The nodes of a syntax tree that can have a docstring."""
_OPENING = re.compile(r"^(?:def|class|import|from|async def|@)\b|^@", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^(?=[^\s#)\]}])|^(?=#)", re.MULTILINE)
_FUTURE = re.compile(r"^from __future__ import [^\n]*\n?", re.MULTILINE)


def extract_program(completion: str, prompt: str = "", entry_point: str = "") -> str:
    """Returns the program in `completion`, completed by what `prompt` gives (imports, helpers, signature).

    prompt: a skeleton in HumanEval's style that the completion continues or restates; may be empty.
    entry_point: the function that the program must define, where it is known. It never raises an error: without a
    program it returns the text itself.
    """
    text = answer_text(completion)
    if prompt and text[:1] in (" ", "\t") and not text.lstrip().startswith(("`", "~")):
        return continue_prompt(prompt, text)
    if _definition(text, entry_point) and parse(text):
        return _complete(text, prompt, entry_point)
    blocks = [block.code for block in code_blocks(text, lambda code: parse(code) is not None) if block.is_python]
    if blocks:
        return _complete(_best_program(blocks, prompt, entry_point), prompt, entry_point)
    if _definition(text, entry_point) or not prompt:
        return _complete(_code_in_prose(text), prompt, entry_point)
    return continue_prompt(prompt, text)


def continue_prompt(prompt: str, completion: str) -> str:
    """Returns `prompt` plus the body that `completion` begins with, cut where the function ends.

    The function ends at the first line at column 0 before which the text parses. So a column-0 line inside a
    triple-quoted string or an open bracket does not end it, as a plain stop string would. Source: the stop sequences
    of the Codex paper (arXiv 2107.03374, 3.2), made exact by parsing.
    """
    stops = [match.start() for match in _TOP_LEVEL.finditer(completion) if match.start()]
    for stop in stops:
        if parse(prompt + completion[:stop]):
            return prompt + completion[:stop].rstrip() + "\n"
    complete = not stops or parse(prompt + completion)
    return prompt + (completion if complete else completion[: stops[0]])


def with_preamble(preamble: str, program: str) -> str:
    """Returns a program behind other code. Its imports from `__future__` stay first, as Python wants them."""
    if not preamble:
        return program
    if not _FUTURE.search(program):
        return preamble + program
    whole = preamble + program
    return "".join(f"{line.rstrip()}\n" for line in _FUTURE.findall(whole)) + _FUTURE.sub("", whole)


def normal_form(program: str) -> str:
    """Returns a text that two programs share when their syntax trees without docstrings are equal.

    Comments, layout, quotes and redundant brackets do not count; names do. A program that does not parse is its own
    normal form.
    """
    tree = parse(program)
    return program if tree is None else normal_tree(tree, program)[0]


def normal_tree(tree: ast.Module, program: str) -> tuple[str, list[ast.AST]]:
    """Removes the docstrings from `tree`, the tree of `program`; returns its normal form and its nodes, root first."""
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    nodes = list(ast.walk(tree))
    try:
        return ast.dump(tree), nodes
    except RecursionError:
        return program, nodes


def parse(program: str) -> ast.Module | None:
    """Returns the syntax tree, or None for a text that is not Python, too deep, too large, or binary."""
    with warnings.catch_warnings():  # a candidate may contain an invalid escape such as "\d"
        warnings.simplefilter("ignore")
        try:
            return ast.parse(program)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def parse_statement(text: str) -> ast.stmt | None:
    """Returns the only statement of a text, or None where it does not parse or has none or several."""
    tree = parse(text)
    return tree.body[0] if tree and len(tree.body) == 1 else None


def calls_name(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    """Returns whether a node calls a function by this bare name."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _definition(text: str, entry_point: str) -> re.Match[str] | None:
    """Returns the first definition of the entry point in a text, or of anything where the entry point is unknown."""
    name = re.escape(entry_point) if entry_point else r"\w+"
    return re.search(rf"^(?:async )?def {name}\b|^class {name}\b", text, re.MULTILINE)


def _best_program(blocks: Sequence[str], prompt: str, entry_point: str) -> str:
    """Returns the last block that defines the entry point and parses, because later blocks correct earlier ones; behind
    the earlier blocks whose functions it uses.
    """
    defining = [block for block in blocks if _definition(block, entry_point)]
    complete = [block for block in defining if parse(block)]
    best = (complete or defining or [max(blocks, key=len)])[-1]
    missing = _free_names(best) - _free_names(prompt, bound=True)
    parts = [best]
    for block in reversed(blocks[: blocks.index(best)]):
        bound = _free_names(block, bound=True)
        if bound & missing and not (entry_point and _definition(block, entry_point)):
            parts.insert(0, block)
            missing = (missing - bound) | _free_names(block)
    return "\n\n".join(parts)


def _free_names(program: str, *, bound: bool = False) -> set[str]:
    """Returns the names that a program uses and nobody defines; with `bound`, those that it defines at column 0."""
    tree = parse(program)
    if tree is None:
        return set()
    named = {name for node in ast.walk(tree) for name in _bound_by(node)}
    if bound:
        return {name for statement in tree.body for node in _own(statement) for name in _bound_by(node)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return used - named - set(dir(builtins))


def _own(statement: ast.stmt) -> Iterable[ast.AST]:
    nested = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return [statement] if nested else ast.walk(statement)


def _bound_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.alias):
        return [(node.asname or node.name).split(".")[0]]
    if isinstance(node, ast.arg):
        return [node.arg]
    return [node.id] if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) else []


def _complete(program: str, prompt: str, entry_point: str) -> str:
    """Puts the prompt's imports and helpers before a restated function, or the prompt before a bare body."""
    if not prompt:
        return program
    if not _definition(program, entry_point):
        return continue_prompt(prompt, program)
    anything = re.search(r"^(?:async )?def |^class |^@", prompt, re.MULTILINE)
    restated = _definition(prompt, entry_point) if entry_point else anything
    preamble = prompt[: restated.start()] if restated else prompt
    missing = preamble.strip() and preamble.strip() not in program
    return with_preamble(preamble.rstrip() + "\n\n\n", program) if missing else program


def _code_in_prose(text: str) -> str:
    """Returns the longest run of lines that begins like code and parses, or the text itself where there is none."""
    if parse(text):
        return text
    lines = [match.start() for match in re.finditer(r"^(?=\S)", text, re.MULTILINE)]
    for begin in (match.start() for match in _OPENING.finditer(text)):
        ends = [line for line in lines if line > begin][-200:]  # lines at column 0
        for end in (len(text), *reversed(ends)):
            if parse(text[begin:end]):
                return text[begin:end].rstrip() + "\n"
    return text
