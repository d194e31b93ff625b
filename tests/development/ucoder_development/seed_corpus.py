"""The seed model's corpus: an endless, deterministic stream of documents, one stage of the loop each.

A document is a prompt rendered from the seed profile and the completion the model should give. No solution
contains a held-out pair of operations. The stream depends on the seed and this package, on nothing else.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ucoder.models.prompts import Prompts
from ucoder.seed.problem import DOMAINS, SeedProblem
from ucoder.seed.reference import reference_body
from ucoder_development.seed_invention import invent
from ucoder_development.seed_solutions import written_body
from ucoder_development.seed_splits import is_held_out

PROFILE = "seed"
DIFFICULTY_WEIGHTS = (0.20, 0.25, 0.25, 0.20, 0.10)
SOLUTIONS_PER_DOCUMENT = 3
WRONG_VALUE_RATE = 0.10
TESTS_PER_DOCUMENT = 6
LONGEST_VALUE = 48


@dataclass(frozen=True)
class Recipe:
    """What the documents are: percent of each stage, and the rates of `solutions.written_body`."""

    mix: dict[str, int]
    myth_rate: float
    slip_rate: float


GRAMMAR = Recipe({"problem": 16, "rating": 4, "skeleton": 5, "tests": 15, "solution": 60}, 0.0, 0.0)
"""Nothing but the truth, mostly solutions: below two thirds of the tokens they are hardly learned."""
HABITS = Recipe({"problem": 40, "rating": 4, "skeleton": 4, "tests": 12, "solution": 40}, 0.40, 0.24)
"""Myths and slips, and many problems: they take longest to learn, and one wrong word spoils one."""


@dataclass(frozen=True)
class Document:
    stage: str
    prompt: str
    completions: tuple[str, ...]


def documents(seed: int, recipe: Recipe = HABITS) -> Iterator[Document]:
    """The stream; the same arguments give the same stream."""
    rng = random.Random(f"corpus {seed}")
    stages, weights = tuple(recipe.mix), tuple(recipe.mix.values())
    while True:
        problem = corpus_problem(rng)
        stage = rng.choices(stages, weights)[0]
        statement = stated(problem, rng)
        if statement is None:
            continue
        if stage == "problem":
            prompt = Prompts.load(PROFILE).render(stage, domain=problem.domain, difficulty=problem.difficulty)
            yield Document(stage, prompt, (statement,))
            continue
        completions = _completions(stage, problem, rng, recipe)
        if completions:
            yield Document(stage, Prompts.load(PROFILE).render(stage, problem=statement), completions)


def _completions(stage: str, problem: SeedProblem, rng: random.Random, recipe: Recipe) -> tuple[str, ...]:
    if stage == "rating":
        return (f"{problem.difficulty}\n",)
    if stage == "skeleton":
        return ("".join(f"    # {step.words}\n" for step in problem.steps) + "    pass\n",)
    if stage == "tests":
        asserts = _asserts(problem, rng)
        return (asserts,) if asserts else ()
    return tuple(written_body(problem, rng, recipe.myth_rate, recipe.slip_rate) for _ in range(SOLUTIONS_PER_DOCUMENT))


def corpus_problem(rng: random.Random) -> SeedProblem:
    """A random problem the corpus may show."""
    while True:
        problem = invent(rng, rng.choice(DOMAINS), rng.choices(range(1, 6), DIFFICULTY_WEIGHTS)[0])
        if not is_held_out(problem.composition):
            return problem


def stated(problem: SeedProblem, rng: random.Random) -> str | None:
    """The problem's text with one or two correct examples; None where its values are too long to show."""
    examples = cases(problem, rng, 1 if rng.random() < 0.8 else 2)
    return problem.statement(examples) if examples else None


def cases(problem: SeedProblem, rng: random.Random, number: int) -> list[tuple[str, str]]:
    """`number` different (arguments, value) pairs as source text, or none where too many values are long."""
    answer = solver(problem)
    found = []
    for given in problem.inputs(rng, 2 * number):
        value = repr(answer(given))
        if len(value) <= LONGEST_VALUE:
            found.append((given, value))
    return found[:number] if len(found) >= number else []


def solver(problem: SeedProblem) -> Callable[[str], Any]:
    """The reference as a function of an argument list in source text. It runs code of our own making only."""
    scope: dict[str, Any] = {}
    exec(problem.signature() + reference_body(problem), scope)
    return lambda given: eval(f"{problem.name}({given})", scope)


def _asserts(problem: SeedProblem, rng: random.Random) -> str:
    shown = cases(problem, rng, TESTS_PER_DOCUMENT)
    lines = []
    for given, value in shown:
        if rng.random() < WRONG_VALUE_RATE:
            value = rng.choice(shown)[1]
        lines.append(f"assert {problem.name}({given}) == {value}\n")
    return "".join(lines)
