"""The proof that a spinning program will spin for ever, so that nobody needs to wait until its time is up.

A function that comes back to the same line in the same state without having returned will do so again and again. That
holds because only stateless programs are looked at (`core/tame`), and of these only functions that yield nothing; only
at lines where the interpreter keeps nothing but the variables (no `for` and no handler around them); only where the
variables, all that is inside them included, are plain values; and never where the program asks for random numbers, the
time or the identity of values. Loops that grow something, and those that merely take long, are not found.
"""

import ast
import pickle
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

BUDGET = 0.003
"""Seconds for one look."""
_MOST_VALUES, _MOST_FRAMES = 500, 60
_PLAIN = (int, bool, str, bytes, type(None))
_FICKLE = {"random", "time", "datetime", "id"}
_SINGLE = (ast.Is, ast.IsNot)
_REPEATS = (ast.For, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp)

Lines = dict[tuple[str, int], set[int]]
"""By a function's name and first line: the lines at which its state is its variables."""


def readable_lines(source: str) -> Lines:
    """Where the program can be looked at; nowhere if it asks what is not in its variables."""
    found: Lines = {}
    for node in ast.walk(ast.parse(source)):
        if _FICKLE & _names(node):
            return {}
        if isinstance(node, ast.Compare) and any(
            isinstance(op, _SINGLE) and not isinstance(right, ast.Constant)
            for op, right in zip(node.ops, node.comparators, strict=True)
        ):
            return {}
        if isinstance(node, ast.FunctionDef) and not any(
            isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node)
        ):
            found[node.name, node.lineno] = set(_flat(node.body))
    return found


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    return {node.module or ""} if isinstance(node, ast.ImportFrom) else set()


def _flat(body: list[ast.stmt]) -> list[int]:
    """Lines of statements that are in nothing but `if` and `while`, to which control comes once each time they run.

    Not so a `for` or a comprehension, whose line comes again for every element, with an iterator that no variable
    shows; nor what is written on several lines, to the first of which control returns in the middle.
    """
    lines = []
    for statement in body:
        if isinstance(statement, ast.If | ast.While):
            once: ast.expr | ast.stmt = statement if statement.body[0].lineno == statement.lineno else statement.test
            lines += _flat(statement.body) + _flat(statement.orelse)
        else:
            once = statement
        if statement.lineno == once.end_lineno and not any(isinstance(node, _REPEATS) for node in ast.walk(once)):
            lines.append(statement.lineno)
    return lines


class LoopWatch:
    """One look at the functions that run now: traces them for a short while, and raises what `proof` makes in one that
    repeats itself."""

    def __init__(self, frame: FrameType | None, source: str, proof: Callable[[], BaseException]) -> None:
        self.proof, self.deadline = proof, time.perf_counter() + BUDGET
        self.lines: dict[FrameType, set[int]] = {}
        self.seen: dict[FrameType, tuple[int, bytes]] = {}
        self.counts: dict[FrameType, tuple[int, int]] = {}
        running = []
        while frame:
            running.append(frame)
            frame = frame.f_back
        if len(running) > _MOST_FRAMES:
            return  # recursion, and hardly any room left for us
        lines = readable_lines(source)
        for frame in running:
            code = frame.f_code
            if code.co_filename == "<program>" and (where := lines.get((code.co_name, code.co_firstlineno))):
                self.lines[frame] = where
                frame.f_trace = self.event
        if self.lines:
            sys.settrace(lambda *_: None)

    def event(self, frame: FrameType, kind: str, _: Any) -> Any:
        """At every line of a function that is looked at."""
        if kind == "return":
            del self.lines[frame]
        if not self.lines or time.perf_counter() > self.deadline:
            self.end()
            return None
        if kind == "line" and frame.f_lineno in self.lines[frame]:
            line, then = self.seen.get(frame, (frame.f_lineno, b""))
            if line == frame.f_lineno:
                now = state(frame.f_locals)
                if now and now == then:
                    self.end()
                    raise self.proof()
                self.keep(frame, now)
        return self.event

    def keep(self, frame: FrameType, now: bytes) -> None:
        """Compares with ever later states, so that a circle of any length is found (Brent 1980)."""
        count, power = self.counts.get(frame, (0, 1))
        if count == 0:
            self.seen[frame] = frame.f_lineno, now
        count += 1
        self.counts[frame] = (0, 2 * power) if count == power else (count, power)

    def end(self) -> None:
        """Nothing is traced any more."""
        sys.settrace(None)
        for frame in self.lines:
            frame.f_trace = None
        self.lines = {}


def state(variables: dict[str, Any]) -> bytes:
    """All that these variables hold, and which of them are the same object; empty where that cannot be told."""
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
