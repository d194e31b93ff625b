"""From the choices of a model to the one whose program is right: extracted, executed, agreed upon."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from ucoder.client import AsyncClient
from ucoder.core.extraction import extract_program
from ucoder.core.input_synthesis import entry_point_of
from ucoder.core.input_synthesis.entry_points import functions_of
from ucoder.errors import Reject

EXTRA = "ucoder"
"""The field of a request with the client's wishes, and of an answer with the evidence."""
WISHES = frozenset({"n", "tests", "entry_point", "inputs", "min_confidence", "strategy", "partial_seconds"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which choices come first, and what is said about it."""

    order: list[int]
    """All choices, the right one first."""
    evidence: dict[str, Any]


def wishes_of(body: dict[str, Any]) -> dict[str, Any]:
    """What the client asks of the proxy itself, taken out of the body. Raises Reject naming a field that is wrong."""
    wishes = body.pop(EXTRA, None) or {}
    if not isinstance(wishes, dict):
        raise Reject(f"{EXTRA}: expected an object with some of {', '.join(sorted(WISHES))}.")
    if unknown := sorted(set(wishes) - WISHES):
        raise Reject(f"{EXTRA}.{unknown[0]}: no such field; there are {', '.join(sorted(WISHES))}.")
    tests = wishes.get("tests", [])
    if not isinstance(tests, list) or not all(isinstance(test, str) for test in tests):
        raise Reject(f"{EXTRA}.tests: expected a list of texts such as `assert f(1) == 2`.")
    for name, kind in (("n", int), ("inputs", int), ("entry_point", str), ("strategy", str)):
        if name in wishes and type(wishes[name]) is not kind:
            raise Reject(f"{EXTRA}.{name}: expected {kind.__name__}, found {wishes[name]!r}.")
    return wishes


def prompt_of(body: dict[str, Any]) -> str:
    """The text that the answer continues or obeys: the prompt, or the last message of the user."""
    if "prompt" in body:
        prompt = body["prompt"]
        return prompt if isinstance(prompt, str) else ""
    said = [message for message in body.get("messages") or [] if message.get("role") == "user"]
    content = said[-1].get("content") if said else ""
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content or ""


def text_of(choice: dict[str, Any]) -> str:
    """What a choice says; empty where it calls a tool instead."""
    if "text" in choice:
        return choice["text"] or ""
    return (choice.get("message") or {}).get("content") or ""


async def choose(client: AsyncClient, prompt: str, choices: list[dict[str, Any]], wishes: dict[str, Any]) -> Chosen:
    """The choices in the order of the verdict. Answers that are no programs keep theirs, and the evidence says so.

    Raises what the consensus service refuses, except that it knows no inputs: then too the order is kept and said.
    """
    options = {name: value for name, value in wishes.items() if name not in ("n", "tests", "entry_point")}
    tests = wishes.get("tests", [])
    kept = list(range(len(choices)))
    texts = [text_of(choice) for choice in choices]
    skeleton = entry_point_of(prompt)
    name = wishes.get("entry_point") or skeleton
    programs = [
        extract_program(text, prompt if skeleton and not text.lstrip().startswith("`") else "", name) for text in texts
    ]
    coded = sum(any(not name or one.name == name for one in functions_of(program)) for program in programs)
    if 2 * coded < len(programs):
        return Chosen(kept, {"applied": False, "reason": "not_code", "n": len(choices)})
    try:
        answer = await client.select(programs, tests, prompt=prompt, entry_point=name, **options)
    except Reject as error:
        if tests or not str(error).startswith("tests: none given"):
            raise
        return Chosen(kept, {"applied": False, "reason": "no_inputs", "detail": str(error), "n": len(choices)})
    order = [member for cluster in answer.verdict.clusters for member in cluster.members]
    order += [index for index in kept if index not in set(order)]
    evidence: dict[str, Any] = {
        "applied": True,
        "n": len(choices),
        "program": programs[order[0]],
        **asdict(answer)["verdict"],
    }
    evidence |= {"tests": answer.tests, "entry_point": answer.entry_point, "cost": asdict(answer.cost)}
    evidence |= {"finished": answer.finished, "stopped": answer.stopped}
    for cluster in evidence["clusters"]:
        cluster["score"] = cluster["score"] if math.isfinite(cluster["score"]) else None  # JSON knows no infinity
    return Chosen(order, evidence)
