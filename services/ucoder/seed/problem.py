"""A seed problem: a chain of one to three operations, and the text in HumanEval's style that states it."""

import random
from dataclasses import dataclass

from ucoder.seed.inputs import arguments
from ucoder.seed.operation import Operation

SECOND = "k"
"""The name of the second parameter, where a problem has one."""
FRAMES = {
    "algorithms": ("", ", then ", ", finally "),
    "natural_instruction": ("Please ", " and after that ", " and at last "),
    "tool_usage": ("Pipeline: ", " | next: ", " | last: "),
    "competitive_programming": ("Task: ", "; second, ", "; third, "),
}
"""Domain -> the words before the first, the second and the third step."""
DOMAINS = tuple(FRAMES)


@dataclass(frozen=True)
class SeedStep:
    """One step: an operation, the index of its phrase, and its number: a literal, `k`, or None."""

    operation: Operation
    phrase: int = 0
    number: str | None = None

    @property
    def words(self) -> str:
        return self.operation.phrases[self.phrase].replace("$k", self.number or "")


@dataclass(frozen=True)
class SeedProblem:
    """A stated problem. `argument` names the first parameter; a step whose number is `k` needs the second one."""

    domain: str
    name: str
    argument: str
    steps: tuple[SeedStep, ...]

    @property
    def composition(self) -> tuple[str, ...]:
        """The names of the operations, which decide the split of a problem."""
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
        """The numbers in the statement, whose neighbourhood is worth testing."""
        return tuple(int(step.number) for step in self.steps if step.number and step.number != SECOND)

    @property
    def difficulty(self) -> int:
        """The summed levels of the steps, 1 to 5."""
        return min(5, sum(step.operation.level for step in self.steps))

    def signature(self) -> str:
        """Returns the line that begins the function."""
        second = f", {SECOND}: int" if self.takes_second else ""
        return f"def {self.name}({self.argument}: {self.source}{second}) -> {self.target}:\n"

    def sentence(self) -> str:
        """Returns the sentence that states all steps."""
        text = "".join(mark + step.words for mark, step in zip(FRAMES[self.domain], self.steps, strict=False)) + "."
        return text[0].upper() + text[1:]

    def statement(self, examples: list[tuple[str, str]]) -> str:
        """Returns signature and docstring; `examples` are (arguments, value) as source text."""
        shown = "".join(f"    >>> {self.name}({given})\n    {value}\n" for given, value in examples)
        return f'{self.signature()}    """{self.sentence()}\n\n{shown}    """\n'

    def inputs(self, rng: random.Random, count: int) -> list[str]:
        """Returns `count` different argument lists as source text."""
        return arguments(rng, self.source, self.takes_second, self.literals, count)
