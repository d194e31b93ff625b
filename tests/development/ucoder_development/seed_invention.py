"""Invents random problems of the seed's grammar: for its corpus, its benchmark, and the scripted model of tests."""

import random

from ucoder.seed.inputs import INT, NUMBERS, TEXT, WORDS
from ucoder.seed.reference import SECOND
from ucoder_development.seed_catalogue import BY_SOURCE
from ucoder_development.seed_operation import BOOL
from ucoder_development.seed_problem import SeedProblem, SeedStep

ARGUMENTS = {NUMBERS: ("xs", "nums"), TEXT: ("s", "text"), WORDS: ("words", "items"), INT: ("n", "num")}
VERBS = {
    "algorithms": ("compute", "arrange", "solve", "derive"),
    "natural_instruction": ("make", "get", "prepare", "rewrite"),
    "tool_usage": ("run", "process", "convert", "apply"),
    "competitive_programming": ("answer", "find", "play", "evaluate"),
}
NOUNS = {
    NUMBERS: ("numbers", "series"), WORDS: ("parts", "names"), TEXT: ("string", "line"),
    INT: ("value", "score"), BOOL: ("flag", "verdict"),
}  # fmt: skip

_LENGTHS = {1: (1,), 2: (1, 2, 2, 2), 3: (2, 3, 3), 4: (2, 3, 3, 3), 5: (3,)}


def invent(rng: random.Random, domain: str, difficulty: int) -> SeedProblem:
    """Returns a random problem of the domain with exactly this difficulty (1 to 5)."""
    while True:
        source, wants_second = _shape(rng, domain)
        steps = _chain(rng, source, rng.choice(_LENGTHS[difficulty]), wants_second)
        if steps is None or min(5, sum(step.operation.level for step in steps)) != difficulty:
            continue
        name = f"{rng.choice(VERBS[domain])}_{rng.choice(NOUNS[steps[-1].operation.target])}"
        return SeedProblem(domain, name, rng.choice(ARGUMENTS[source]), steps)


def _shape(rng: random.Random, domain: str) -> tuple[str, bool]:
    """Draws the type of the argument, and whether there is a second parameter."""
    if domain == "algorithms":
        return NUMBERS, False
    if domain == "competitive_programming":
        return (INT, rng.random() < 0.3) if rng.random() < 0.4 else (NUMBERS, True)
    return (TEXT if domain == "natural_instruction" else WORDS), rng.random() < 0.2


def _chain(rng: random.Random, source: str, length: int, wants_second: bool) -> tuple[SeedStep, ...] | None:
    """Draws steps whose types fit together; None where no operation fits or the second parameter is not used."""
    steps: list[SeedStep] = []
    seen: set[str] = set()
    for _ in range(length):
        choices = [operation for operation in BY_SOURCE.get(source, ()) if operation.name not in seen]
        if not choices:
            return None
        operation = rng.choice(choices)
        number = None
        if operation.takes_number:
            number = SECOND if wants_second and rng.random() < 0.8 else str(rng.randint(2, 5))
        steps.append(SeedStep(operation, rng.randrange(len(operation.phrases)), number))
        seen.add(operation.name)
        source = operation.target
    if wants_second and all(step.number != SECOND for step in steps):
        return None
    return tuple(steps)
