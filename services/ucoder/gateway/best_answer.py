"""Chooses the best of a model's choices: extracts their programs, lets the consensus service select, and reorders."""

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ucoder.client import Answer, AsyncClient
from ucoder.core.extraction import extract_program
from ucoder.core.input_synthesis import entry_point_of
from ucoder.core.input_synthesis.entry_points import functions_of
from ucoder.errors import NoInputs, Reject

EXTRA_FIELD = "ucoder"
"""The field of a request with the options for the proxy, and of an answer with the evidence."""
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


def prompt_of(body: dict[str, Any]) -> str:
    """Returns the text that the model answers: the prompt, or the last message of the user."""
    if "prompt" in body:
        prompt = body["prompt"]
        return prompt if isinstance(prompt, str) else ""
    messages = [message for message in body.get("messages") or [] if message.get("role") == "user"]
    content = messages[-1].get("content") if messages else ""
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content or ""


def text_of(choice: dict[str, Any]) -> str:
    """Returns the text of a choice, or the empty text where the choice only calls a tool."""
    if "text" in choice:
        return choice["text"] or ""
    return (choice.get("message") or {}).get("content") or ""


async def rank_choices(
    client: AsyncClient, prompt: str, choices: list[dict[str, Any]], options: dict[str, Any]
) -> RankedChoices:
    """Orders the choices by the consensus service's verdict.

    Choices that are not programs, or for which no inputs can be synthesised, keep the model's order. Raises every other
    error of the consensus service.
    """
    texts = [text_of(choice) for choice in choices]
    skeleton = entry_point_of(prompt)
    name = options.get("entry_point") or skeleton
    programs = [
        extract_program(text, prompt if skeleton and not text.lstrip().startswith("`") else "", name) for text in texts
    ]
    with_function = sum(any(not name or one.name == name for one in functions_of(program)) for program in programs)
    if 2 * with_function < len(programs):
        return unranked(NotApplied.NOT_CODE, len(choices))
    passed_on: Any = {key: value for key, value in options.items() if key not in ("n", "tests", "entry_point")}
    try:
        answer = await client.select(programs, options.get("tests", []), prompt=prompt, entry_point=name, **passed_on)
    except NoInputs as error:
        return unranked(NotApplied.NO_INPUTS, len(choices), detail=str(error))
    order = [member for cluster in answer.verdict.clusters for member in cluster.members]
    order += [index for index in range(len(choices)) if index not in set(order)]
    return RankedChoices(order, _evidence(answer, len(choices), programs[order[0]]))


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
    }
