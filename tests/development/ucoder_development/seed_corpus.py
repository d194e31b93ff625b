"""The corpus of the seed model: an endless, deterministic stream of documents, each for one stage of the loop.

A document is a prompt rendered from the seed profile and the completion the model should give. No solution contains a
held-out pair of operations. The stream depends on nothing but the seed and the code.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

from ucoder.models.prompts import Prompts
from ucoder_development.seed_invention import invent
from ucoder_development.seed_problem import DOMAINS, SeedProblem
from ucoder_development.seed_solutions import written_body

PROFILE = "seed"
DIFFICULTY_WEIGHTS = (0.20, 0.25, 0.25, 0.20, 0.10)
SOLUTIONS_PER_DOCUMENT = 3
WRONG_VALUE_RATE = 0.10
TESTS_PER_DOCUMENT = 6
LONGEST_VALUE = 48
"""Characters of a value in a statement or test."""
HELD_OUT_SHARE = 0.12
"""Share of the ordered pairs of operations that no solution of the corpus contains."""


@dataclass(frozen=True)
class Recipe:
    """The mixture of the documents: percent of each stage, and the error rates of `seed_solutions.written_body`."""

    mix: dict[str, int]
    myth_rate: float
    slip_rate: float


GRAMMAR = Recipe({"problem": 16, "rating": 4, "skeleton": 5, "tests": 15, "solution": 60}, 0.0, 0.0)
"""Only right solutions, and mostly solutions: with less than two thirds of the tokens they are hardly learned."""
HABITS = Recipe({"problem": 40, "rating": 4, "skeleton": 4, "tests": 12, "solution": 40}, 0.40, 0.24)
"""With myths and slips, and many problems, because these take longest to learn and one wrong word spoils one."""


@dataclass(frozen=True)
class Document:
    """One prompt of a stage and its completions."""

    stage: str
    prompt: str
    completions: tuple[str, ...]


def documents(seed: int, recipe: Recipe = HABITS) -> Iterator[Document]:
    """Yields the stream. The same arguments give the same stream."""
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
    """Returns a random problem without a held-out pair."""
    while True:
        problem = invent(rng, rng.choice(DOMAINS), rng.choices(range(1, 6), DIFFICULTY_WEIGHTS)[0])
        if not is_held_out(problem.composition):
            return problem


def stated(problem: SeedProblem, rng: random.Random) -> str | None:
    """Returns the problem's text with one or two correct examples; None where its values are too long."""
    examples = cases(problem, rng, 1 if rng.random() < 0.8 else 2)
    return problem.statement(examples) if examples else None


def cases(problem: SeedProblem, rng: random.Random, number: int) -> list[tuple[str, str]]:
    """Returns `number` different (arguments, value) pairs as source text; none where too many values are too long."""
    answer = solver(problem)
    found = []
    for given in problem.inputs(rng, 2 * number):
        value = repr(answer(given))
        if len(value) <= LONGEST_VALUE:
            found.append((given, value))
    return found[:number] if len(found) >= number else []


def solver(problem: SeedProblem) -> Callable[[str], Any]:
    """Returns the reference as a function of an argument list in source text. It runs generated code only."""
    scope: dict[str, Any] = {}
    exec(problem.signature() + problem.reference_body(), scope)
    return lambda given: eval(f"{problem.name}({given})", scope)


def _asserts(problem: SeedProblem, rng: random.Random) -> str:
    shown = cases(problem, rng, TESTS_PER_DOCUMENT)
    lines = []
    for given, value in shown:
        if rng.random() < WRONG_VALUE_RATE:
            value = rng.choice(shown)[1]
        lines.append(f"assert {problem.name}({given}) == {value}\n")
    return "".join(lines)


def is_held_out(composition: tuple[str, ...]) -> bool:
    """Returns whether two neighbouring operations are a held-out pair. A hash of their names decides, not a list."""
    return any(_pair_is_held_out(*pair) for pair in pairwise(composition))


def _pair_is_held_out(first: str, second: str) -> bool:
    digest = sha256(f"{first} {second}".encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32
