"""Problems whose solution is a program that reads stdin and writes stdout, and their tests."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from ucoder.core.drop_reasons import DropReason
from ucoder.core.problem_parsing import LONGEST, Statement, UnusableProblem
from ucoder.core.test_plans import Test

_MARK = (
    r"^[#* \t]*(?:(?:example|sample|test)s?[ \t]*(?:\d+[ \t]*)?[:.]?[ \t]*)?(?:expected[ \t]+)?WORD"
    r"[ \t]*(?:example|sample)?[ \t]*\d*[^\w\n]*$"
)
"""A line that says no more than `Input:`, `Sample Input 1`, `## Example output`."""
_EXAMPLE, _ANSWER = (
    re.compile(_MARK.replace("WORD", word), re.IGNORECASE | re.MULTILINE) for word in ("input", "output")
)
_LONGEST_TEST = 20_000  # characters of one input or output


def read_script(text: str) -> Statement:
    """The statement in a completion: words, an input and an output format, at least one example of both.

    Raises Unusable: too_long, no_statement (fewer than ten words before the first example), no_format (input or output
    is not spoken of), no_example.
    """
    text = re.sub(r"^\s*```\w*\n|```\s*$", "", text.strip("\n")).strip() + "\n"
    if len(text) > LONGEST:
        raise UnusableProblem(DropReason.TOO_LONG)
    pairs = list(_pairs(text))
    if not pairs:
        raise UnusableProblem(DropReason.NO_EXAMPLE)
    told = text[: next(_EXAMPLE.finditer(text)).start()]
    if len(told.split()) < 10:
        raise UnusableProblem(DropReason.NO_STATEMENT)
    if not all(re.search(rf"\b{word}", told, re.IGNORECASE) for word in ("input", "output|print")):
        raise UnusableProblem(DropReason.NO_FORMAT)
    title = re.sub(r"^[#* ]+", "", told.strip().splitlines()[0]).strip()
    return Statement(prompt=text, entry_point="", title=title, parameters=())


def read_script_tests(prompt: str, completions: Iterable[str], keep: int) -> tuple[list[Test], Counter[str]]:
    """Distinct inputs with the output written for each, the statement's own first, then those written most often.

    One input with several outputs is several tests. Drops by reason: no_pair (a completion without any), too_long,
    over_limit.
    """
    tests: Counter[tuple[str, str]] = Counter()
    dropped: Counter[str] = Counter()
    for completion in completions:
        found = list(_pairs(f"Input:\n{completion}"))
        dropped["no_pair"] += not found
        for pair in found:
            if max(map(len, pair)) > _LONGEST_TEST:
                dropped["too_long"] += 1
            else:
                tests[pair] += 1
    own = dict.fromkeys(_pairs(prompt))
    ranked = [*own, *sorted((pair for pair in tests if pair not in own), key=lambda pair: (-tests[pair], pair))]
    if len(ranked) > keep:
        dropped["over_limit"] = len(ranked) - keep
    cases = [Test(stdin=one, expected_stdout=other, count=max(1, tests[one, other])) for one, other in ranked[:keep]]
    return cases, +dropped


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """(input, output) of every `Input:` block that an `Output:` block follows; each ends with one newline."""
    marks = sorted(
        [(match.start(), match.end(), "in") for match in _EXAMPLE.finditer(text)]
        + [(match.start(), match.end(), "out") for match in _ANSWER.finditer(text)]
    )
    for place, (_, end, kind) in enumerate(marks[:-1]):
        start, after, following = marks[place + 1]
        if kind == "in" and following == "out":
            until = marks[place + 2][0] if place + 2 < len(marks) else len(text)
            given, answer = _block(text[end:start]), _block(text[after:until])
            if given.strip() and answer.strip():
                yield given, answer


def _block(text: str) -> str:
    """What stands in a block: its fences fall away, and what follows a blank line behind it."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines() if not line.strip().startswith("```")]
    while lines and not lines[0].strip():
        lines.pop(0)
    if "" in lines:
        lines = lines[: lines.index("")]
    return "\n".join(lines) + "\n"
