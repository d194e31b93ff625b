"""The answer key of the seed's own grammar: used by reports and tests, never by the loop."""

import random
import re

from ucoder.seed.operations import BY_PHRASE
from ucoder.seed.problem import FRAMES, SeedProblem, SeedStep
from ucoder_development.seed_solutions import reference_body

_HEAD = re.compile(
    r"def (?P<name>[a-z_]+)\((?P<argument>[a-z]+): (?P<source>[a-z\[\]]+)(?P<second>, k: int)?\) -> "
    r'(?P<target>[a-z\[\]]+):\n    """(?P<sentence>[^\n]+)\.\n'
)
_NUMBER = re.compile(r"(?<![\w'])(?:\d+|k)(?![\w'])")


def parse(prompt: str) -> SeedProblem | None:
    """The problem stated by a signature and docstring, or None where the text is off-grammar."""
    head = _HEAD.match(prompt)
    if head is None:
        return None
    for domain, marks in sorted(FRAMES.items(), key=lambda frame: -len(frame[1][0])):
        if not head["sentence"].startswith(marks[0]):
            continue
        steps = _steps(head["source"], head["sentence"][len(marks[0]) :], marks[1:])
        if steps is None or steps[-1].operation.target != head["target"]:
            return None
        problem = SeedProblem(domain, head["name"], head["argument"], steps)
        return problem if problem.takes_second == bool(head["second"]) else None
    return None


def _steps(source: str, sentence: str, marks: tuple[str, ...]) -> tuple[SeedStep, ...] | None:
    steps = []
    for words in _cut(sentence[:1].lower() + sentence[1:], marks):
        step = _step(source, words)
        if step is None:
            return None
        steps.append(step)
        source = step.operation.target
    return tuple(steps)


def _cut(sentence: str, marks: tuple[str, ...]) -> list[str]:
    first, found, rest = sentence.partition(marks[0])
    return [first, *(_cut(rest, marks[1:]) if found and marks[1:] else [rest] if found else [])]


def _step(source: str, words: str) -> SeedStep | None:
    """Phrases with fixed numbers in them are met first, as they stand; then the one number is the slot."""
    for spot in [None, *_NUMBER.finditer(words)]:
        phrase = words if spot is None else f"{words[: spot.start()]}$k{words[spot.end() :]}"
        operation = BY_PHRASE.get((source, phrase))
        if operation is not None:
            number = spot.group() if spot else None
            return SeedStep(operation, operation.phrases.index(phrase), number)
    return None


def reference(prompt: str) -> str | None:
    """A correct program (prompt and body) for a signature-and-docstring text, or None if it is off-grammar."""
    problem = parse(prompt)
    return None if problem is None else prompt.rstrip("\n") + "\n" + reference_body(problem)


def hidden_inputs(prompt: str, n: int, seed: int) -> list[str] | None:
    """`n` different calls such as `f([1, 2], 3)`, the same for the same seed; None if off-grammar."""
    problem = parse(prompt)
    if problem is None:
        return None
    return [f"{problem.name}({given})" for given in problem.inputs(random.Random(seed), n)]
