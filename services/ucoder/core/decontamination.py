"""Whether a problem is one of a benchmark's in disguise: the same words, or too many of the same word runs.

Training on a benchmark's own tasks makes its score worthless; n-gram overlap is the field's usual test (GPT-3, appendix
C, arXiv 2005.14165, uses 13 words). Short statements hold few runs, so their whole text is compared as well.
"""

import re
from collections.abc import Iterable

from ucoder.core.problems import described

WORDS = 13


class Decontamination:
    """An index of known tasks."""

    def __init__(self, prompts: Iterable[str], words: int = WORDS) -> None:
        """`prompts`: signature and docstring of each known task, or its plain text."""
        self._words = words
        self._whole: set[tuple[str, ...]] = set()
        self._runs: set[tuple[str, ...]] = set()
        for prompt in prompts:
            tokens = _tokens(prompt)
            self._whole.add(tokens)
            self._runs.update(_runs(tokens, words))

    def is_known(self, prompt: str) -> bool:
        """True when the problem's words equal a known task's, or any run of `words` of them is in one."""
        tokens = _tokens(prompt)
        return tokens in self._whole or any(run in self._runs for run in _runs(tokens, self._words))


def _tokens(prompt: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z]+|\d+", described(prompt).lower()))


def _runs(tokens: tuple[str, ...], words: int) -> Iterable[tuple[str, ...]]:
    return (tokens[i : i + words] for i in range(len(tokens) - words + 1))
