"""A seed problem: a chain of one to three operations, and the HumanEval-style text that states it."""

import random
from dataclasses import dataclass

from ucoder.seed.inputs import arguments
from ucoder.seed.operation import BOOL, INT, NUMBERS, TEXT, WORDS, Operation
from ucoder.seed.operations import BY_SOURCE

DOMAINS = ("algorithms", "natural_instruction", "tool_usage", "competitive_programming")
SECOND = "k"
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
FRAMES = {
    "algorithms": ("", ", then ", ", finally "),
    "natural_instruction": ("Please ", " and after that ", " and at last "),
    "tool_usage": ("Pipeline: ", " | next: ", " | last: "),
    "competitive_programming": ("Task: ", "; second, ", "; third, "),
}
"""Domain -> what stands before the first, the second and the third step."""


@dataclass(frozen=True)
class SeedStep:
    """An operation, the index of its phrase, and its number: a literal, `k`, or None."""

    operation: Operation
    phrase: int = 0
    number: str | None = None

    @property
    def words(self) -> str:
        return self.operation.phrases[self.phrase].replace("$k", self.number or "")


@dataclass(frozen=True)
class SeedProblem:
    """`argument` is the name of the first parameter; a step whose number is `k` brings the second one."""

    domain: str
    name: str
    argument: str
    steps: tuple[SeedStep, ...]

    @property
    def composition(self) -> tuple[str, ...]:
        """The names of the operations: what the splits and decontamination go by."""
        return tuple(step.operation.name for step in self.steps)

    @property
    def takes_second(self) -> bool:
        return any(step.number == SECOND for step in self.steps)

    @property
    def source(self) -> str:
        return self.steps[0].operation.source

    @property
    def target(self) -> str:
        return self.steps[-1].operation.target

    @property
    def literals(self) -> tuple[int, ...]:
        """The numbers in the statement: boundary values worth testing."""
        return tuple(int(step.number) for step in self.steps if step.number and step.number != SECOND)

    @property
    def difficulty(self) -> int:
        """1 to 5: the summed levels of the steps."""
        return min(5, sum(step.operation.level for step in self.steps))

    def signature(self) -> str:
        second = f", {SECOND}: int" if self.takes_second else ""
        return f"def {self.name}({self.argument}: {self.source}{second}) -> {self.target}:\n"

    def sentence(self) -> str:
        text = "".join(mark + step.words for mark, step in zip(FRAMES[self.domain], self.steps, strict=False)) + "."
        return text[0].upper() + text[1:]

    def statement(self, examples: list[tuple[str, str]]) -> str:
        """Signature and docstring; `examples` are (arguments, value) as source text."""
        shown = "".join(f"    >>> {self.name}({given})\n    {value}\n" for given, value in examples)
        return f'{self.signature()}    """{self.sentence()}\n\n{shown}    """\n'

    def inputs(self, rng: random.Random, count: int) -> list[str]:
        """`count` different argument lists as source text."""
        return arguments(rng, self.source, self.takes_second, self.literals, count)


_LENGTHS = {1: (1,), 2: (1, 2, 2, 2), 3: (2, 3, 3), 4: (2, 3, 3, 3), 5: (3,)}


def invent(rng: random.Random, domain: str, difficulty: int) -> SeedProblem:
    """A random problem of the domain with exactly this difficulty (1 to 5)."""
    while True:
        source, wants_second = _shape(rng, domain)
        steps = _chain(rng, source, rng.choice(_LENGTHS[difficulty]), wants_second)
        if steps is None or min(5, sum(step.operation.level for step in steps)) != difficulty:
            continue
        name = f"{rng.choice(VERBS[domain])}_{rng.choice(NOUNS[steps[-1].operation.target])}"
        return SeedProblem(domain, name, rng.choice(ARGUMENTS[source]), steps)


def _shape(rng: random.Random, domain: str) -> tuple[str, bool]:
    if domain == "algorithms":
        return NUMBERS, False
    if domain == "competitive_programming":
        return (INT, rng.random() < 0.3) if rng.random() < 0.4 else (NUMBERS, True)
    return (TEXT if domain == "natural_instruction" else WORDS), rng.random() < 0.2


def _chain(rng: random.Random, source: str, length: int, wants_second: bool) -> tuple[SeedStep, ...] | None:
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
