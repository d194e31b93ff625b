"""Reads script problems, whose solution is a program that reads stdin and writes stdout, and their tests."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import dropwhile, takewhile
from operator import not_

from ucoder.core.drop_reasons import DropReason
from ucoder.core.generated_tests import TestDropReason
from ucoder.core.problem_parsing import LONGEST, Statement, UnusableProblem
from ucoder.core.test_plans import Test

_MARK = (
    r"^[#* \t]*(?:(?:example|sample|test)s?[ \t]*(?:\d+[ \t]*)?[:.]?[ \t]*)?(?:expected[ \t]+)?WORD"
    r"[ \t]*(?:example|sample)?[ \t]*\d*[^\w\n]*$"
)
"""A line that says only `Input:`, `Sample Input 1`, `## Example output` or the like."""
_INPUT_MARK, _OUTPUT_MARK = (
    re.compile(_MARK.replace("WORD", word), re.IGNORECASE | re.MULTILINE) for word in ("input", "output")
)
_LONGEST_TEST = 20_000
"""The limit of one input or output, in characters."""


def read_script(text: str) -> Statement:
    """Reads the statement in a completion: words, an input and an output format, and at least one example of both.

    Raises UnusableProblem: TOO_LONG, NO_EXAMPLE, NO_STATEMENT, or NO_FORMAT.
    """
    text = re.sub(r"^\s*```\w*\n|```\s*$", "", text.strip("\n")).strip() + "\n"
    if len(text) > LONGEST:
        raise UnusableProblem(DropReason.TOO_LONG)
    pairs = list(_pairs(text))
    if not pairs:
        raise UnusableProblem(DropReason.NO_EXAMPLE)
    description = text[: next(_INPUT_MARK.finditer(text)).start()]
    if len(description.split()) < 10:
        raise UnusableProblem(DropReason.NO_STATEMENT)
    if not all(re.search(rf"\b{word}", description, re.IGNORECASE) for word in ("input", "output|print")):
        raise UnusableProblem(DropReason.NO_FORMAT)
    title = re.sub(r"^[#* ]+", "", description.strip().splitlines()[0]).strip()
    return Statement(prompt=text, entry_point="", title=title, parameters=())


def read_script_tests(prompt: str, completions: Iterable[str], keep: int) -> tuple[list[Test], Counter[str]]:
    """Returns at most `keep` distinct tests, the statement's own first, then the most frequent, and drops by reason.

    One input with several outputs is several tests. Drops: NO_PAIR, TOO_LONG and OVER_LIMIT of `TestDropReason`.
    """
    tests: Counter[tuple[str, str]] = Counter()
    dropped: Counter[str] = Counter()
    for completion in completions:
        pairs = list(_pairs(f"Input:\n{completion}"))
        dropped[TestDropReason.NO_PAIR] += not pairs
        for pair in pairs:
            if max(map(len, pair)) > _LONGEST_TEST:
                dropped[TestDropReason.TOO_LONG] += 1
            else:
                tests[pair] += 1
    own = dict.fromkeys(_pairs(prompt))
    ranked = [*own, *sorted((pair for pair in tests if pair not in own), key=lambda pair: (-tests[pair], pair))]
    if len(ranked) > keep:
        dropped[TestDropReason.OVER_LIMIT] = len(ranked) - keep
    kept = [Test(stdin=given, expected_stdout=out, count=max(1, tests[given, out])) for given, out in ranked[:keep]]
    return kept, +dropped


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yields (input, output) of every `Input:` block that an `Output:` block follows. Each ends with one newline."""
    kinds = {"in": _INPUT_MARK, "out": _OUTPUT_MARK}
    marks = sorted((match.start(), match.end(), kind) for kind in kinds for match in kinds[kind].finditer(text))
    marks.append((len(text), len(text), "end"))
    for (_, end, kind), (start, after, following), (until, _, _) in zip(marks, marks[1:], marks[2:], strict=False):
        if kind == "in" and following == "out":
            given, answer = _block(text[end:start]), _block(text[after:until])
            if given.strip() and answer.strip():
                yield given, answer


def _block(text: str) -> str:
    """Returns the lines of a block up to its first blank line, without its fences."""
    lines = (line.rstrip() for line in text.splitlines() if not line.strip().startswith("```"))
    return "\n".join(takewhile(bool, dropwhile(not_, lines))) + "\n"
