"""The reasons why programs fail most tests, and the commonest cause where no program of a question can be selected."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ucoder.core.extraction import extract_program, parse
from ucoder.core.outcomes import Outcome

_SYNTAX = re.compile(r"!(?:SyntaxError|IndentationError|TabError): (.*?)(?: \(<.*?>, line (\d+)\))?$", re.DOTALL)
_MODULE = re.compile(r"!(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'")
_NAME = re.compile(r"!NameError: name '(\w+)' is not defined")
_DEFINED = re.compile(r"^(?:async )?def (\w+)", re.MULTILINE)
_LIMITS = {
    Outcome.OUT_OF_MEMORY: "reaches the memory limit",
    Outcome.OUTPUT_LIMIT: "prints too much",
    Outcome.PROCESS_LIMIT: "starts too many processes",
    Outcome.CRASHED: "ends its own process",
    Outcome.NONDETERMINISTIC: "gives another result each time",
    Outcome.UNSUPPORTED: "cannot be judged on this kind of test",
    Outcome.INFRA_ERROR: "was not run, because the sandbox failed",
}
MOST = 0.5
"""A cause is named when at least this share of the tests ended by it."""


class Cause(StrEnum):
    """The causes by which a program fails."""

    NO_FUNCTION = "no_function"
    NEEDS_PACKAGE = "needs_package"
    SYNTAX_ERROR = "syntax_error"
    MARKDOWN = "markdown"
    TIMES_OUT = "times_out"
    RAISES = "raises"
    LIMIT = "limit"
    WRONG = "wrong"
    """It runs, and fails the tests that say what they expect."""


@dataclass(frozen=True, slots=True)
class Reason:
    """The cause by which a program fails, and a sentence without its subject: `defines no function f`."""

    cause: Cause
    words: str


def reason_of(
    program: str, outcomes: Sequence[Outcome], outputs: Sequence[str | None], entry_point: str
) -> Reason | None:
    """Returns the cause of most of a program's failures, or None where most tests gave a result."""
    texts = [text or "" for text in outputs] or [""] * len(outcomes)
    counted = Counter(
        (outcome, text if outcome is Outcome.EXCEPTION else "")
        for outcome, text in zip(outcomes, texts, strict=True)
        if outcome not in (Outcome.PASSED, Outcome.RETURNED)
    )
    if not counted or counted.total() < MOST * len(outcomes):
        return None
    (outcome, text), count = counted.most_common(1)[0]
    share = "on every test" if count == len(outcomes) else f"on {count} of {len(outcomes)} tests"
    if outcome in (Outcome.TIMEOUT_CPU, Outcome.TIMEOUT_WALL):
        return Reason(Cause.TIMES_OUT, f"reaches the time limit {share}")
    if outcome is Outcome.FAILED:
        return Reason(Cause.WRONG, f"returns another value than expected {share}")
    if outcome is not Outcome.EXCEPTION:
        return Reason(Cause.LIMIT, f"{_LIMITS[outcome]} {share}")
    return _of_exception(program, text, entry_point, share)


def explanation(reasons: Sequence[Reason | None]) -> str:
    """Returns a sentence for a question of which no program can be selected, with the commonest cause."""
    causes = Counter(reason.cause for reason in reasons if reason)
    if not causes:
        return f"None of the {len(reasons)} programs can be selected: on these tests they do nothing that can be seen."
    cause, count = causes.most_common(1)[0]
    words = next(reason.words for reason in reasons if reason and reason.cause is cause)
    total = len(reasons)
    return f"None of the {total} programs can be selected. The commonest cause, {count} of {total}: it {words}."


def without_fence(program: str) -> str:
    """Returns the code in a Markdown fence where the text itself is no program; every other text as it is."""
    if "```" not in program or parse(program):
        return program
    inside = extract_program(program, "", "")
    return inside if inside.strip() and parse(inside) else program


def _of_exception(program: str, text: str, entry_point: str, share: str) -> Reason:
    if match := _SYNTAX.match(text):
        if "```" in program:
            return Reason(Cause.MARKDOWN, "holds Markdown (```) around or inside its code")
        at = f" at line {match[2]}" if match[2] else ""
        return Reason(Cause.SYNTAX_ERROR, f"has a syntax error{at}: {match[1][:200]}")
    if match := _MODULE.match(text):
        return Reason(Cause.NEEDS_PACKAGE, f"needs the package {match[1]}, which the sandbox does not have")
    if (match := _NAME.match(text)) and match[1] == entry_point:
        own = list(dict.fromkeys(_DEFINED.findall(program)))[:3]
        also = f"; it defines {', '.join(own)}" if own else ""
        return Reason(Cause.NO_FUNCTION, f"defines no function {entry_point}{also}")
    return Reason(Cause.RAISES, f"raises {text.removeprefix('!')[:200] or 'an error'} {share}")
