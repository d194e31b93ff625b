"""The proof that a running program will never end, so that nobody needs to wait until its time is up.

A function that comes back to the same line in the same state, without having returned, will do so for ever. That holds
under these conditions:
- The program is stateless (`core/fork_safety`), and the function yields nothing.
- At the line the interpreter keeps no state beyond the variables: no `for` and no handler is around it.
- The variables, with everything inside them, are plain values.
- The program never asks for random numbers, the time or the identity of values.

Loops that grow something, and loops that only take long, are not found.
"""

import ast
import pickle
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

CHECK_SECONDS = 0.003
"""How long one check may trace."""
_MOST_VALUES, _MOST_FRAMES = 500, 60
_PLAIN = (int, bool, str, bytes, type(None))
_UNREPEATABLE = {"random", "time", "datetime", "id"}
_IDENTITY = (ast.Is, ast.IsNot)
_SEVERAL_VISITS = (ast.For, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp)
"""Statements and expressions to whose line control may come more than once while they run."""

Lines = dict[tuple[str, int], set[int]]
"""By a function's name and first line: the lines at which its variables are its whole state."""


def readable_lines(source: str) -> Lines:
    """Returns the lines at which a program can be checked; none if its result depends on more than its variables."""
    lines: Lines = {}
    for node in ast.walk(ast.parse(source)):
        if _UNREPEATABLE & _names(node):
            return {}
        if isinstance(node, ast.Compare) and any(
            isinstance(op, _IDENTITY) and not isinstance(right, ast.Constant)
            for op, right in zip(node.ops, node.comparators, strict=True)
        ):
            return {}
        if isinstance(node, ast.FunctionDef) and not any(
            isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node)
        ):
            lines[node.name, node.lineno] = set(_lines_visited_once(node.body))
    return lines


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    return {node.module or ""} if isinstance(node, ast.ImportFrom) else set()


def _lines_visited_once(body: list[ast.stmt]) -> list[int]:
    """Returns the lines to which control comes once each time their statement runs, inside `if` and `while` alone.

    Left out are the lines of a `for` or a comprehension: control comes there for every element, with an iterator that
    no variable shows. Left out too are statements on several lines: control returns to the first one in the middle.
    """
    lines = []
    for statement in body:
        if isinstance(statement, ast.If | ast.While):
            visited: ast.expr | ast.stmt = statement if statement.body[0].lineno == statement.lineno else statement.test
            lines += _lines_visited_once(statement.body) + _lines_visited_once(statement.orelse)
        else:
            visited = statement
        if statement.lineno == visited.end_lineno and not any(
            isinstance(node, _SEVERAL_VISITS) for node in ast.walk(visited)
        ):
            lines.append(statement.lineno)
    return lines


class LoopWatch:
    """One check of the functions that run now: it traces them for a short while, and raises what `proof` makes in a
    function that repeats itself.
    """

    def __init__(self, frame: FrameType | None, source: str, proof: Callable[[], BaseException]) -> None:
        self.proof, self.deadline = proof, time.perf_counter() + CHECK_SECONDS
        self.lines: dict[FrameType, set[int]] = {}
        self.seen: dict[FrameType, tuple[int, bytes]] = {}
        self.counts: dict[FrameType, tuple[int, int]] = {}
        running = []
        while frame:
            running.append(frame)
            frame = frame.f_back
        if len(running) > _MOST_FRAMES:
            return  # deep recursion, which leaves hardly any stack for the check
        lines = readable_lines(source)
        for frame in running:
            code = frame.f_code
            if code.co_filename == "<program>" and (where := lines.get((code.co_name, code.co_firstlineno))):
                self.lines[frame] = where
                frame.f_trace = self.event
        if self.lines:
            sys.settrace(lambda *_: None)

    def event(self, frame: FrameType, kind: str, _: Any) -> Any:
        """Compares states at each line of a function that is checked. Called by the interpreter as a trace function."""
        if kind == "return":
            del self.lines[frame]
        if not self.lines or time.perf_counter() > self.deadline:
            self.end()
            return None
        if kind == "line" and frame.f_lineno in self.lines[frame]:
            line, earlier = self.seen.get(frame, (frame.f_lineno, b""))
            if line == frame.f_lineno:
                now = state(frame.f_locals)
                if now and now == earlier:
                    self.end()
                    raise self.proof()
                self.keep(frame, now)
        return self.event

    def keep(self, frame: FrameType, now: bytes) -> None:
        """Keeps ever later states to compare with, so that a cycle of any length is found (Brent 1980)."""
        count, power = self.counts.get(frame, (0, 1))
        if count == 0:
            self.seen[frame] = frame.f_lineno, now
        count += 1
        self.counts[frame] = (0, 2 * power) if count == power else (count, power)

    def end(self) -> None:
        """Ends the tracing."""
        sys.settrace(None)
        for frame in self.lines:
            frame.f_trace = None
        self.lines = {}


def state(variables: dict[str, Any]) -> bytes:
    """Returns all that variables hold, and which of them are the same object, as bytes; empty where that is unknown."""
    left = _MOST_VALUES

    def plain(value: Any) -> bool:
        nonlocal left
        left -= 1
        kind = type(value)
        if left < 0 or kind in _PLAIN:
            return left >= 0
        if kind is float:
            return bool(value == value)
        if kind is list or kind is tuple:
            return all(map(plain, value))
        return kind is dict and all(map(plain, value)) and all(map(plain, value.values()))

    try:
        return pickle.dumps(sorted(variables.items())) if all(map(plain, variables.values())) else b""
    except RecursionError:
        return b""
