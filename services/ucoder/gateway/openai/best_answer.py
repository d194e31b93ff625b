"""Chooses the best of a model's choices: extracts their programs, lets the consensus service select, and reorders."""

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ucoder.client import Answer
from ucoder.core.extraction import extract_program, parse
from ucoder.core.input_synthesis import UnclearSignature, entry_point_of, read_signature
from ucoder.core.input_synthesis.entry_points import functions_of
from ucoder.core.input_synthesis.input_drawing import draw_tests
from ucoder.errors import NoInputs, Reject
from ucoder.gateway.openai.chat_requests import Task, reconciled

EXTRA_FIELD = "ucoder"
"""The field of a request with the options for the proxy, and of an answer with the evidence."""
Selector = Callable[..., Awaitable[Answer]]
"""Asks the consensus service: programs and tests, and the keywords of `Client.select`."""
FEW_TESTS = 10
"""Below so many tests of the text itself, synthesised inputs are added, because few tests distinguish few programs."""
_DEFINES = re.compile(r"^(?:async )?def |^class ", re.MULTILINE)
OPTIONS = frozenset({"n", "tests", "entry_point", "inputs", "min_confidence", "strategy", "partial_seconds"})
"""The keys of `EXTRA_FIELD` in a request."""


class NotApplied(StrEnum):
    """The reasons why the choices keep the model's order. Clients read them in the evidence."""

    NOT_CODE = "not_code"
    """Fewer than half of the choices hold a program."""
    NO_INPUTS = "no_inputs"
    """The request has no tests, and no inputs can be synthesised."""
    ONE_SAMPLE = "one_sample"
    """Only one choice was sampled."""
    NOT_ASKED = "not_asked"
    """The request does not ask for a program that could be judged by running it."""
    TOOL_CALL = "tool_call"
    """The answer calls a tool."""
    UNAVAILABLE = "unavailable"
    """The consensus service has no answer now."""


@dataclass(frozen=True, slots=True)
class RankedChoices:
    """The order of a model's choices, and the evidence for it."""

    order: list[int]
    """The indices of all choices, the best first."""
    evidence: dict[str, Any]


def unranked(reason: NotApplied, n: int, **details: Any) -> RankedChoices:
    """Returns `n` choices in the model's order, with the reason in the evidence."""
    return RankedChoices(list(range(n)), {"applied": False, "reason": reason, **details, "n": n})


def pop_options(body: dict[str, Any]) -> dict[str, Any]:
    """Removes the options for the proxy from a request's body and returns them. Raises Reject for a wrong field."""
    options = body.pop(EXTRA_FIELD, None) or {}
    if not isinstance(options, dict):
        raise Reject(f"{EXTRA_FIELD}: expected an object with some of {', '.join(sorted(OPTIONS))}.")
    if unknown := sorted(set(options) - OPTIONS):
        raise Reject(f"{EXTRA_FIELD}.{unknown[0]}: no such field; there are {', '.join(sorted(OPTIONS))}.")
    tests = options.get("tests", [])
    if not isinstance(tests, list) or not all(isinstance(test, str) for test in tests):
        raise Reject(f"{EXTRA_FIELD}.tests: expected a list of texts such as `assert f(1) == 2`.")
    for name, kind in (("n", int), ("inputs", int), ("entry_point", str), ("strategy", str)):
        if name in options and type(options[name]) is not kind:
            raise Reject(f"{EXTRA_FIELD}.{name}: expected {kind.__name__}, found {options[name]!r}.")
    return options


def text_of(choice: dict[str, Any]) -> str:
    """Returns the text of a choice, or the empty text where the choice only calls a tool."""
    if "text" in choice:
        return choice["text"] or ""
    return (choice.get("message") or {}).get("content") or ""


def program_in(text: str, task: Task) -> str:
    """Returns the program in an answer; the empty text where it holds none."""
    fenced = text.lstrip().startswith(("`", "~")) or "```" in text
    continues = task.skeleton if task.skeleton and not fenced and not _DEFINES.search(text) else ""
    program = extract_program(text, continues, task.entry_point)
    if functions_of(program):
        return program
    if any(isinstance(test, tuple) for test in task.tests) and (fenced or parse(text)):
        return program if parse(program) else ""
    return program if "class " in program and parse(program) else ""


async def rank_choices(
    select: Selector, task: Task, choices: list[dict[str, Any]], options: dict[str, Any]
) -> RankedChoices:
    """Orders the choices by the consensus service's verdict.

    Choices that are not programs, or for which no inputs can be synthesised, keep the model's order. Raises every other
    error of the consensus service.
    """
    found = [program_in(text_of(choice), task) for choice in choices]
    if 2 * sum(map(bool, found)) < len(found):
        return unranked(NotApplied.NOT_CODE, len(choices))
    tests = options.get("tests") or task.tests
    names = [[function.name for function in functions_of(program)] for program in found]
    wanted = options.get("entry_point") or task.entry_point
    if not wanted and options.get("tests"):
        wanted = entry_point_of("", found, options["tests"])
    name, programs = reconciled(found, names, wanted)
    if any(isinstance(test, tuple) for test in tests):
        programs = found
    passed_on: Any = {key: value for key, value in options.items() if key not in ("n", "tests", "entry_point")}
    try:
        answer = await _select_with_inputs(select, programs, tests, task.prompt, name, passed_on)
    except NoInputs as error:
        return unranked(NotApplied.NO_INPUTS, len(choices), detail=str(error))
    order = [member for cluster in answer.verdict.clusters for member in cluster.members]
    order += [index for index in range(len(choices)) if index not in set(order)]
    return RankedChoices(order, _evidence(answer, len(choices), programs[order[0]]))


async def _select_with_inputs(
    select: Selector, programs: list[str], tests: list[Any], prompt: str, name: str, options: Any
) -> Answer:
    """Selects on the tests and, where they are only the few that a text shows, on synthesised inputs too."""
    if not tests or any(isinstance(test, tuple) for test in tests):
        return await select(programs, tests, prompt=prompt, entry_point=name, **options)
    if len(tests) < FEW_TESTS:
        try:
            made = synthesised_tests(prompt, programs, name, options.get("inputs", 0))
        except UnclearSignature:
            made = []
        tests = [*tests, *(test for test in made if test not in tests)]
    return await select(programs, tests, prompt=prompt, entry_point=name, **options)


def synthesised_tests(prompt: str, programs: list[str], name: str, inputs: int) -> list[str]:
    """Returns calls with synthesised arguments. Raises UnclearSignature where none can be made."""
    signature = read_signature(prompt, programs, name)
    return [test.code for test in draw_tests(signature, inputs or 32, 0)]


def _evidence(answer: Answer, n: int, program: str) -> dict[str, Any]:
    """Returns an answer of the consensus service as JSON values. `program` is that of the first choice."""
    verdict = asdict(answer.verdict)
    del verdict["theorem_bound"]  # no option of the proxy asks for it
    for cluster in verdict["clusters"]:
        cluster["score"] = cluster["score"] if math.isfinite(cluster["score"]) else None  # JSON has no infinity
    return {
        "applied": True,
        "n": n,
        "program": program,
        **verdict,
        "tests": answer.tests,
        "entry_point": answer.entry_point,
        "cost": asdict(answer.cost),
        "finished": answer.finished,
        "stopped": answer.stopped,
        "reasons": [asdict(reason) for reason in answer.reasons],
    }
