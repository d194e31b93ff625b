"""Whether a problem is one of a benchmark's in disguise: the same words, a long run of them, or its signature.

Training on a benchmark's own tasks makes its score worthless; n-gram overlap is the field's usual test (GPT-3, appendix
C, arXiv 2005.14165, uses 13 words). Short statements hold few runs, so their whole text is compared as well; and a
problem that bears a task's function and parameter names needs only half of its words.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ucoder.core.problem_parsing import description_of

WORDS = 13
SIGNED_SHARE = 0.5
"""Jaccard index of the words from which a problem with a task's own signature is that task."""


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task of a benchmark."""

    benchmark: str
    task: str
    prompt: str
    """Signature and docstring, or plain text."""
    code: str = ""
    """More text in which its signature may stand: starter code or a solution."""


@dataclass(frozen=True, slots=True)
class ContaminationMatch:
    """The task that a problem repeats, and by which rule: words, ngram or signature."""

    benchmark: str
    task: str
    rule: str


class Decontamination:
    """An index of known tasks."""

    def __init__(self, tasks: Iterable[KnownTask], words: int = WORDS) -> None:
        self._words = words
        self._tasks = list(tasks)
        self._whole: dict[tuple[str, ...], int] = {}
        self._runs: dict[int, int] = {}
        self._signed: dict[tuple[str, ...], list[int]] = {}
        self._vocabulary: list[frozenset[str]] = []
        for number, task in enumerate(self._tasks):
            tokens = _tokens(task.prompt)
            self._vocabulary.append(frozenset(tokens))
            self._whole.setdefault(tokens, number)
            for run in _runs(tokens, words):
                self._runs.setdefault(run, number)
            for signature in _signatures(f"{task.prompt}\n{task.code}"):
                self._signed.setdefault(signature, []).append(number)

    def sizes(self) -> dict[str, int]:
        """Tasks indexed, by benchmark."""
        names = [task.benchmark for task in self._tasks]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def find(self, prompt: str) -> ContaminationMatch | None:
        """The known task that the problem repeats, or None."""
        tokens = _tokens(prompt)
        if tokens in self._whole:
            return self._match(self._whole[tokens], "words")
        for run in _runs(tokens, self._words):
            if run in self._runs:
                return self._match(self._runs[run], "ngram")
        mine = frozenset(tokens)
        for signature in _signatures(prompt):
            for number in self._signed.get(signature, ()):
                theirs = self._vocabulary[number]
                if len(mine & theirs) >= SIGNED_SHARE * len(mine | theirs):
                    return self._match(number, "signature")
        return None

    def _match(self, number: int, rule: str) -> ContaminationMatch:
        return ContaminationMatch(self._tasks[number].benchmark, self._tasks[number].task, rule)


def _tokens(prompt: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z]+|\d+", description_of(prompt).lower()))


def _runs(tokens: tuple[str, ...], words: int) -> Iterable[int]:
    return (hash(tokens[i : i + words]) for i in range(len(tokens) - words + 1))


def _signatures(code: str) -> set[tuple[str, ...]]:
    """Name and parameters' names of every function in a text, in lower case; `self` and annotations aside."""
    found = set()
    for name, parameters in re.findall(r"\bdef\s+(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", code):
        names = re.findall(r"(?:^|,)\s*\*{0,2}(\w+)", re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]", "", parameters))
        found.add((name.lower(), *(one.lower() for one in names if one != "self")))
    return found
