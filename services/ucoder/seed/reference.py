"""Parses problems of the seed's grammar and knows their right answers: for reports and tests, never for the loop.

`python -m ucoder_development.seed_benchmark` writes `operations.json`: type of a value -> type of the result -> phrase
of a step -> correct expression. `$k` is the number of the step, `$v` the value that it works on.
"""

import json
import random
import re
from importlib import resources
from typing import NamedTuple

from ucoder.seed.inputs import arguments

OPERATIONS: dict[tuple[str, str], tuple[str, str]] = {
    (source, phrase): (target, expression)
    for source, targets in json.loads((resources.files("ucoder.seed") / "operations.json").read_text()).items()
    for target, phrases in targets.items()
    for phrase, expression in phrases.items()
}
"""(type of a value, phrase) -> (type of the result, correct expression)."""
SECOND = "k"
"""The name of the second parameter, where a problem has one."""
FRAMES = {
    "algorithms": ("", ", then ", ", finally "),
    "natural_instruction": ("Please ", " and after that ", " and at last "),
    "tool_usage": ("Pipeline: ", " | next: ", " | last: "),
    "competitive_programming": ("Task: ", "; second, ", "; third, "),
}
"""Domain -> the words before the first, the second and the third step."""
_HEAD = re.compile(
    r"def (?P<name>[a-z_]+)\((?P<argument>[a-z]+): (?P<source>[a-z\[\]]+)(?P<second>, k: int)?\) -> "
    r'(?P<target>[a-z\[\]]+):\n    """(?P<sentence>[^\n]+)\.\n'
)
_NUMBER = re.compile(r"(?<![\w'])(?:\d+|k)(?![\w'])")


class StatedStep(NamedTuple):
    """One step of a statement: the type of its value, its phrase, and its number: a literal, `k`, or None."""

    source: str
    phrase: str
    number: str | None


class StatedProblem(NamedTuple):
    """The content of a signature and docstring. `argument` names the first parameter, the value of the first step."""

    domain: str
    name: str
    argument: str
    steps: tuple[StatedStep, ...]


def parse(prompt: str) -> StatedProblem | None:
    """Returns the problem that a signature and docstring state; None where the text is not of the grammar."""
    head = _HEAD.match(prompt)
    if head is None:
        return None
    sentence = head["sentence"]
    domain = max((one for one in FRAMES if sentence.startswith(FRAMES[one][0])), key=lambda one: len(FRAMES[one][0]))
    first, *marks = FRAMES[domain]
    source, steps = head["source"], []
    sentence = sentence[len(first) :]
    for words in _cut(sentence[:1].lower() + sentence[1:], marks):
        step = _step(source, words)
        if step is None:
            return None
        steps.append(step)
        source, _ = OPERATIONS[source, step.phrase]
    takes_second = any(step.number == SECOND for step in steps)
    if source != head["target"] or takes_second != bool(head["second"]):
        return None
    return StatedProblem(domain, head["name"], head["argument"], tuple(steps))


def _cut(sentence: str, marks: list[str]) -> list[str]:
    """Cuts a sentence at the first of each mark, in turn."""
    first, found, rest = sentence.partition(marks[0])
    return [first, *(_cut(rest, marks[1:]) if found and marks[1:] else [rest] if found else [])]


def _step(source: str, words: str) -> StatedStep | None:
    """Returns the step that words state. Phrases with fixed numbers are tried first; then each number may be `$k`."""
    for number in [None, *_NUMBER.finditer(words)]:
        phrase = words if number is None else f"{words[: number.start()]}$k{words[number.end() :]}"
        if (source, phrase) in OPERATIONS:
            return StatedStep(source, phrase, number.group() if number else None)
    return None


def reference_program(prompt: str) -> str | None:
    """Returns a correct program, prompt and body, for a signature and docstring; None for another grammar."""
    stated = parse(prompt)
    if stated is None:
        return None
    ways = [OPERATIONS[step.source, step.phrase][1].replace("$k", step.number or "") for step in stated.steps]
    return prompt.rstrip("\n") + "\n" + one_assignment_each(stated.argument, ways)


def hidden_inputs(prompt: str, n: int, seed: int) -> list[str] | None:
    """Returns `n` different calls such as `f([1, 2], 3)`, the same for the same seed; None for another grammar."""
    stated = parse(prompt)
    if stated is None:
        return None
    numbers = {step.number for step in stated.steps}
    literals = tuple(int(step.number) for step in stated.steps if step.number not in (None, SECOND))
    given = arguments(random.Random(seed), stated.steps[0].source, SECOND in numbers, literals, n)
    return [f"{stated.name}({texts})" for texts in given]


def one_assignment_each(argument: str, ways: list[str]) -> str:
    """Returns the body that assigns the result of each step to the argument; `ways` are expressions of `$v`."""
    texts = [way.replace("$v", argument) for way in ways]
    return indented([f"{argument} = {text}" for text in texts[:-1]] + [f"return {texts[-1]}"])


def indented(lines: list[str]) -> str:
    """Returns lines as the body of a function."""
    return "".join(f"    {line}\n" for line in lines)
