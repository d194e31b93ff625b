"""Parses problems of the seed's grammar and knows their right answers: for reports and tests, never for the loop."""

import random
import re

from ucoder.seed.operations import BY_PHRASE
from ucoder.seed.problem import FRAMES, SeedProblem, SeedStep

_HEAD = re.compile(
    r"def (?P<name>[a-z_]+)\((?P<argument>[a-z]+): (?P<source>[a-z\[\]]+)(?P<second>, k: int)?\) -> "
    r'(?P<target>[a-z\[\]]+):\n    """(?P<sentence>[^\n]+)\.\n'
)
_NUMBER = re.compile(r"(?<![\w'])(?:\d+|k)(?![\w'])")


def parse(prompt: str) -> SeedProblem | None:
    """Returns the problem that a signature and docstring state; None where the text is not of the grammar."""
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
    """Returns the steps that a sentence states, or None."""
    steps = []
    for words in _cut(sentence[:1].lower() + sentence[1:], marks):
        step = _step(source, words)
        if step is None:
            return None
        steps.append(step)
        source = step.operation.target
    return tuple(steps)


def _cut(sentence: str, marks: tuple[str, ...]) -> list[str]:
    """Cuts a sentence at the first of each mark, in turn."""
    first, found, rest = sentence.partition(marks[0])
    return [first, *(_cut(rest, marks[1:]) if found and marks[1:] else [rest] if found else [])]


def _step(source: str, words: str) -> SeedStep | None:
    """Returns the step that words state. Phrases with fixed numbers are tried first; then each number may be `$k`."""
    for number in [None, *_NUMBER.finditer(words)]:
        phrase = words if number is None else f"{words[: number.start()]}$k{words[number.end() :]}"
        operation = BY_PHRASE.get((source, phrase))
        if operation is not None:
            return SeedStep(operation, operation.phrases.index(phrase), number.group() if number else None)
    return None


def reference_program(prompt: str) -> str | None:
    """Returns a correct program, prompt and body, for a signature and docstring; None for another grammar."""
    problem = parse(prompt)
    return None if problem is None else prompt.rstrip("\n") + "\n" + reference_body(problem)


def hidden_inputs(prompt: str, n: int, seed: int) -> list[str] | None:
    """Returns `n` different calls such as `f([1, 2], 3)`, the same for the same seed; None for another grammar."""
    problem = parse(prompt)
    if problem is None:
        return None
    return [f"{problem.name}({given})" for given in problem.inputs(random.Random(seed), n)]


def reference_body(problem: SeedProblem) -> str:
    """Returns the correct body of the function, one assignment for each step."""
    return one_assignment_each(problem, [fill(step.operation.ways[0], step) for step in problem.steps])


def one_assignment_each(problem: SeedProblem, ways: list[str]) -> str:
    """Returns a body that assigns the result of each step to the argument; `ways` are expressions of `$v`."""
    name = problem.argument
    texts = [way.replace("$v", name) for way in ways]
    return indented([f"{name} = {text}" for text in texts[:-1]] + [f"return {texts[-1]}"])


def fill(template: str, step: SeedStep) -> str:
    """Returns the template with the number of a step."""
    return template.replace("$k", step.number or "")


def indented(lines: list[str]) -> str:
    """Returns lines as the body of a function."""
    return "".join(f"    {line}\n" for line in lines)
