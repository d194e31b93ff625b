"""A seed problem: a chain of one to three operations, and the text in HumanEval's style that states it."""

import random
from dataclasses import dataclass

from ucoder.seed.inputs import arguments
from ucoder.seed.reference import FRAMES, SECOND, one_assignment_each, parse
from ucoder_development.seed_catalogue import BY_PHRASE
from ucoder_development.seed_operation import Operation

DOMAINS = tuple(FRAMES)


@dataclass(frozen=True)
class SeedStep:
    """One step: an operation, the index of its phrase, and its number: a literal, `k`, or None."""

    operation: Operation
    phrase: int = 0
    number: str | None = None

    @property
    def words(self) -> str:
        return self.fill(self.operation.phrases[self.phrase])

    def fill(self, template: str) -> str:
        """Returns the template with the number of this step."""
        return template.replace("$k", self.number or "")


@dataclass(frozen=True)
class SeedProblem:
    """A stated problem. `argument` names the first parameter; a step whose number is `k` needs the second one."""

    domain: str
    name: str
    argument: str
    steps: tuple[SeedStep, ...]

    @classmethod
    def read(cls, text: str) -> "SeedProblem | None":
        """Returns the problem that a signature and docstring state; None where the text is not of the grammar."""
        stated = parse(text)
        if stated is None:
            return None
        named = [(BY_PHRASE[step.source, step.phrase], step) for step in stated.steps]
        steps = (SeedStep(operation, operation.phrases.index(step.phrase), step.number) for operation, step in named)
        return cls(stated.domain, stated.name, stated.argument, tuple(steps))

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

    def reference_body(self) -> str:
        """Returns the correct body of the function, one assignment for each step."""
        return one_assignment_each(self.argument, [step.fill(step.operation.ways[0]) for step in self.steps])
