"""The seed model's corpus: an endless, deterministic stream of documents, one stage of the loop each.

A document is a prompt rendered from the seed profile and the completion the model should give. No solution
contains a held-out pair of operations. The stream depends on the seed and this package, on nothing else.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .problem import DOMAINS, Problem, invent
from .prompts import render
from .solutions import reference_body, written_body
from .splits import is_held_out

MIX = {"problem": 12, "rating": 3, "skeleton": 5, "tests": 14, "solution": 66}
"""Stage -> percent of documents. Solutions need the most: below two thirds they are not learned."""
DIFFICULTY_WEIGHTS = (0.20, 0.25, 0.25, 0.20, 0.10)
MYTH_RATE = 0.50
SLIP_RATE = 0.24
WRONG_VALUE_RATE = 0.10
TESTS_PER_DOCUMENT = 6
LONGEST_VALUE = 72


@dataclass(frozen=True)
class Document:
    stage: str
    prompt: str
    completion: str


def documents(seed: int, myth_rate: float = MYTH_RATE, slip_rate: float = SLIP_RATE) -> Iterator[Document]:
    """The stream; the same seed and rates give the same documents."""
    rng = random.Random(f"corpus {seed}")
    stages, weights = tuple(MIX), tuple(MIX.values())
    while True:
        problem = corpus_problem(rng)
        stage = rng.choices(stages, weights)[0]
        statement = stated(problem, rng)
        if statement is None:
            continue
        if stage == "problem":
            prompt = render(stage, domain=problem.domain, difficulty=problem.difficulty)
            yield Document(stage, prompt, statement)
            continue
        if stage == "rating":
            completion = f"{problem.difficulty}\n"
        elif stage == "skeleton":
            completion = "".join(f"    # {step.words}\n" for step in problem.steps) + "    pass\n"
        elif stage == "tests":
            completion = _asserts(problem, rng)
            if not completion:
                continue
        else:
            completion = written_body(problem, rng, myth_rate, slip_rate)
        yield Document(stage, render(stage, problem=statement), completion)


def corpus_problem(rng: random.Random) -> Problem:
    """A random problem the corpus may show."""
    while True:
        problem = invent(rng, rng.choice(DOMAINS), rng.choices(range(1, 6), DIFFICULTY_WEIGHTS)[0])
        if not is_held_out(problem.composition):
            return problem


def stated(problem: Problem, rng: random.Random) -> str | None:
    """The problem's text with one or two correct examples; None where its values are too long to show."""
    examples = cases(problem, rng, 1 if rng.random() < 0.7 else 2)
    return problem.statement(examples) if examples else None


def cases(problem: Problem, rng: random.Random, count: int) -> list[tuple[str, str]]:
    """`count` different (arguments, value) pairs as source text, or none where too many values are long."""
    answer = solver(problem)
    found = []
    for given in problem.inputs(rng, 2 * count):
        value = repr(answer(given))
        if len(value) <= LONGEST_VALUE:
            found.append((given, value))
    return found[:count] if len(found) >= count else []


def solver(problem: Problem) -> Callable[[str], Any]:
    """The reference as a function of an argument list in source text. It runs code of our own making only."""
    scope: dict[str, Any] = {}
    exec(problem.signature() + reference_body(problem), scope)
    return lambda given: eval(f"{problem.name}({given})", scope)


def _asserts(problem: Problem, rng: random.Random) -> str:
    shown = cases(problem, rng, TESTS_PER_DOCUMENT)
    lines = []
    for given, value in shown:
        if rng.random() < WRONG_VALUE_RATE:
            value = rng.choice(shown)[1]
        lines.append(f"assert {problem.name}({given}) == {value}\n")
    return "".join(lines)
