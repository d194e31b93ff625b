"""Writes the solutions of the corpus: in one of four code styles, with popular errors, and sometimes with a slip.

Two kinds of errors are made on purpose:
a *myth* is always the same wrong expression, the most popular single way of a quarter of the operations;
a *slip* is a random local change (a number, a comparison, a missing, swapped or replaced step).
All other errors of the model come from what so small a model does not learn.
"""

import ast
import random
import re
from dataclasses import replace
from functools import lru_cache

from ucoder.seed.reference import SECOND, indented, one_assignment_each
from ucoder_development.seed_catalogue import BY_SOURCE
from ucoder_development.seed_operation import Operation
from ucoder_development.seed_problem import SeedProblem, SeedStep

STYLES = ("reassign", "nest", "stages", "loop")
STYLE_WEIGHTS = (0.25, 0.15, 0.35, 0.25)
WAY_WEIGHTS = (0.55, 0.30, 0.15)
"""Frequencies of the ways of an operation without a myth."""
RESULTS = ("out", "res", "ans")


def written_body(problem: SeedProblem, rng: random.Random, myth_rate: float, slip_rate: float) -> str:
    """Returns a body as the corpus shows it. `myth_rate`: the share of a myth among the expressions of an operation."""
    slips = rng.random() < slip_rate
    steps = list(problem.steps)
    damaged = slips and rng.random() < 0.5 and _damage_steps(steps, rng)
    problem = replace(problem, steps=tuple(steps))
    style = rng.choices(STYLES, STYLE_WEIGHTS)[0]
    ways = [step.fill(_choose(step.operation, rng, myth_rate)) for step in problem.steps]
    if style == "loop":
        body = _loop(problem, ways)
    elif style == "stages":
        body = _stages(problem, ways)
    elif style == "nest":
        body = _nest(problem, ways)
    else:
        body = one_assignment_each(problem.argument, ways)
    return _damage_text(body, rng) if slips and not damaged else body


def _choose(operation: Operation, rng: random.Random, myth_rate: float) -> str:
    """Chooses an expression. A myth is more frequent than each single way, and less than all ways together, so that a
    vote can be right where the greedy answer is wrong.
    """
    if operation.myth:
        return operation.myth if rng.random() < myth_rate else rng.choice(operation.ways)
    return rng.choices(operation.ways, WAY_WEIGHTS[: len(operation.ways)])[0]


def _stages(problem: SeedProblem, ways: list[str]) -> str:
    value, lines = problem.argument, []
    for result, way in zip(RESULTS, ways, strict=False):
        lines.append(f"{result} = {way.replace('$v', value)}")
        value = result
    return indented([*lines, f"return {value}"])


def _loop(problem: SeedProblem, ways: list[str]) -> str:
    value, lines = problem.argument, []
    for result, way, step in zip(RESULTS, ways, problem.steps, strict=False):
        template = step.fill(step.operation.block or f"$o = {way}")
        lines += template.replace("$v", value).replace("$o", result).split("\n")
        value = result
    return indented([*lines, f"return {value}"])


def _nest(problem: SeedProblem, ways: list[str]) -> str:
    value, lines = problem.argument, []
    for way in ways:
        if value != problem.argument and (way.count("$v") > 1 or "{$v}" in way):
            lines.append(f"{problem.argument} = {value}")
            value = problem.argument
        value = way.replace("$v", value if _atomic(value) else f"({value})")
    return indented([*lines, f"return {value}"])


@lru_cache(maxsize=100_000)
def _atomic(expression: str) -> bool:
    node = ast.parse(expression, mode="eval").body
    return isinstance(node, ast.Name | ast.Call | ast.List | ast.ListComp | ast.Subscript)


def _damage_steps(steps: list[SeedStep], rng: random.Random) -> bool:
    """Removes, swaps or replaces one step in place and keeps the types. Returns False where none was possible."""
    spots = list(range(len(steps)))
    rng.shuffle(spots)
    for kind in rng.sample(("forget", "swap", "replace"), 3):
        for i in spots:
            here = steps[i].operation
            if kind == "forget" and len(steps) > 1 and here.source == here.target:
                del steps[i]
                return True
            if kind == "swap" and i + 1 < len(steps):
                after = steps[i + 1].operation
                if here.source == here.target == after.source == after.target:
                    steps[i], steps[i + 1] = steps[i + 1], steps[i]
                    return True
            if kind == "replace":
                others = [o for o in BY_SOURCE[here.source] if o.target == here.target and o is not here]
                if others:
                    other = rng.choice(others)
                    number = (steps[i].number or str(rng.randint(2, 5))) if other.takes_number else None
                    steps[i] = SeedStep(other, 0, number)
                    return True
    return False


_SWAPS = {
    "<": ("<=", ">"), "<=": ("<",), ">": (">=", "<"), ">=": (">",), "==": ("!=",), "!=": ("==",),
    "+": ("-",), "-": ("+",), "*": ("+", "**"), "//": ("%", "/"), "%": ("//",), "upper": ("lower",),
    "lower": ("upper",), "max": ("min",), "min": ("max",), "any": ("all",), "all": ("any",),
    "len": ("sum",), "sorted": ("list",), SECOND: (f"{SECOND} + 1", f"{SECOND} - 1"),
}  # fmt: skip
_SPOT = re.compile(r"\d+|(?<= )(?:<=|>=|==|!=|//|[<>+*%-])(?= )|\b(?:upper|lower|max|min|any|all|len|sorted|k)\b")


def _damage_text(body: str, rng: random.Random) -> str:
    """Returns the body with one number, operator or function name changed."""
    spots = list(_SPOT.finditer(body))
    if not spots:
        return body.replace("return ", "return not ", 1)
    spot = rng.choice(spots)
    old = spot.group()
    if old.isdigit():
        new = str(int(old) + 1) if old == "0" else str(int(old) + rng.choice((-1, 1)))
    else:
        new = rng.choice(_SWAPS[old])
    return body[: spot.start()] + new + body[spot.end() :]
