"""Decontamination: recognises problems that repeat a benchmark's task, by words, n-grams or signature.

Training on a benchmark's own tasks makes its score worthless. N-gram overlap is the usual test (GPT-3, appendix C,
arXiv 2005.14165, uses 13 words). Short statements contain few n-grams, so their whole text is compared as well. A
problem with a task's function and parameter names is a repetition when it shares only half of its words.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ucoder.core.problem_parsing import description_of

WORDS = 13
"""The length of an n-gram in words."""
SIGNED_SHARE = 0.5
"""The least Jaccard index of the words at which a problem with a task's signature counts as that task."""


class MatchRule(StrEnum):
    """The rules by which a problem repeats a task."""

    WORDS = "words"
    """All words are the same."""
    NGRAM = "ngram"
    """A run of `WORDS` words is the same."""
    SIGNATURE = "signature"
    """The signature and at least `SIGNED_SHARE` of the words are the same."""


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task of a benchmark."""

    benchmark: str
    task: str
    prompt: str
    """Signature and docstring, or plain text."""
    code: str = ""
    """More text that may contain its signature: starter code or a solution."""


@dataclass(frozen=True, slots=True)
class ContaminationMatch:
    """The task that a problem repeats, and the rule that found it."""

    benchmark: str
    task: str
    rule: MatchRule


class Decontamination:
    """An index of known tasks. `words` is the length of an n-gram."""

    def __init__(self, tasks: Iterable[KnownTask], words: int = WORDS) -> None:
        self._words = words
        self._tasks = list(tasks)
        self._whole: dict[tuple[str, ...], int] = {}
        self._ngrams: dict[int, int] = {}
        self._signed: dict[tuple[str, ...], list[int]] = {}
        self._vocabulary: list[frozenset[str]] = []
        for number, task in enumerate(self._tasks):
            tokens = _tokens(task.prompt)
            self._vocabulary.append(frozenset(tokens))
            self._whole.setdefault(tokens, number)
            for ngram in _ngrams(tokens, words):
                self._ngrams.setdefault(ngram, number)
            for signature in _signatures(f"{task.prompt}\n{task.code}"):
                self._signed.setdefault(signature, []).append(number)

    def sizes(self) -> dict[str, int]:
        """Returns the number of indexed tasks by benchmark."""
        names = [task.benchmark for task in self._tasks]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def find(self, prompt: str) -> ContaminationMatch | None:
        """Returns the known task that the problem repeats, or None."""
        tokens = _tokens(prompt)
        if tokens in self._whole:
            return self._match(self._whole[tokens], MatchRule.WORDS)
        for ngram in _ngrams(tokens, self._words):
            if ngram in self._ngrams:
                return self._match(self._ngrams[ngram], MatchRule.NGRAM)
        words = frozenset(tokens)
        for signature in _signatures(prompt):
            for number in self._signed.get(signature, ()):
                known = self._vocabulary[number]
                if len(words & known) >= SIGNED_SHARE * len(words | known):
                    return self._match(number, MatchRule.SIGNATURE)
        return None

    def _match(self, number: int, rule: MatchRule) -> ContaminationMatch:
        return ContaminationMatch(self._tasks[number].benchmark, self._tasks[number].task, rule)


def _tokens(prompt: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z]+|\d+", description_of(prompt).lower()))


def _ngrams(tokens: tuple[str, ...], words: int) -> Iterable[int]:
    """Returns the hashes of all runs of so many words."""
    return (hash(tokens[i : i + words]) for i in range(len(tokens) - words + 1))


def _signatures(code: str) -> set[tuple[str, ...]]:
    """Returns the names of every function and its parameters in a text, in lower case, without `self`."""
    signatures = set()
    for name, parameters in re.findall(r"\bdef\s+(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", code):
        names = re.findall(r"(?:^|,)\s*\*{0,2}(\w+)", re.sub(r"\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]", "", parameters))
        signatures.add((name.lower(), *(parameter.lower() for parameter in names if parameter != "self")))
    return signatures
