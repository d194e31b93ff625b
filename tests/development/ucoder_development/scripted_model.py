"""A model server whose answers come from a program: it has OpenAI's API, knows the seed's grammar, and costs almost no
time, so that load tests and fault tests exercise everything around the model.

`python -m ucoder_development.scripted_model --port PORT` serves it. The same prompt and seed get the same answer. Some
of the tests expect wrong values, and some of the programs are wrong, as with the seed model.
"""

import argparse
import asyncio
import json
import random
from collections.abc import Callable
from functools import lru_cache

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ucoder.errors import NotFound
from ucoder.models.weights_probe import TRAINING_RESULT_FILE
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.settings import load
from ucoder.runtime.storage.store import Store
from ucoder.runtime.storage.weights_reference import WeightsReference
from ucoder_development.seed_corpus import cases, stated
from ucoder_development.seed_invention import invent
from ucoder_development.seed_problem import SeedProblem
from ucoder_development.seed_solutions import written_body

WRONG_VALUES, MYTHS, SLIPS = 0.1, 0.2, 0.2
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TESTS = 5


def answer(prompt: str, seed: int) -> str:
    """Returns the completion of a prompt of the seed profile."""
    stage, _, rest = prompt.removeprefix("# ").partition("\n")
    rng = random.Random(f"{prompt} {seed}")
    if stage in ANSWERS:
        problem = _parsed(rest)
        return ANSWERS[stage](problem, rng) if problem else ""
    domain, difficulty = stage.split()
    while (statement := _renamed(invent(rng, domain, int(difficulty)), rng)) is None:
        pass
    return statement


def _renamed(problem: SeedProblem, rng: random.Random) -> str | None:
    """Returns the statement under a random name; None where it has none."""
    statement = stated(problem, rng)
    suffix = "".join(rng.choices(LETTERS, k=6))
    return statement.replace(problem.name, f"{problem.name}_{suffix}") if statement else None


def _tests(problem: SeedProblem, rng: random.Random) -> str:
    shown = cases(problem, rng, TESTS)
    values = [rng.choice(shown)[1] if rng.random() < WRONG_VALUES else value for _, value in shown]
    return "".join(f"assert {problem.name}({given}) == {v}\n" for (given, _), v in zip(shown, values, strict=True))


ANSWERS: dict[str, Callable[[SeedProblem, random.Random], str]] = {
    "difficulty": lambda problem, rng: f"{problem.difficulty}\n",
    "skeleton": lambda problem, rng: "".join(f"    # {step.words}\n" for step in problem.steps) + "    pass\n",
    "tests": _tests,
    "solution": lambda problem, rng: written_body(problem, rng, MYTHS, SLIPS),
}


@lru_cache(maxsize=4096)
def _parsed(statement: str) -> SeedProblem | None:
    return SeedProblem.read(statement.strip() + "\n")


def server(store: Store, seconds: float) -> Starlette:
    """Returns the application. Every answer takes `seconds`. Its models are the shipped one and those of the store."""
    scores: dict[str, float] = {}

    async def models(request: Request) -> Response:
        listed = [
            base_path("seed"),
            *(str(WeightsReference.in_store(f"{run}/weights/{name}")) for run in ("run", "r") for name in _NAMES),
        ]
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in listed]})

    async def score(model: str) -> float:
        """Returns what the trainer measured, so that the server appears to serve the trained weights."""
        if model not in scores:
            try:
                data = await WeightsReference.parse(model).read(store, TRAINING_RESULT_FILE)
                scores[model] = float(json.loads(data)["probe_log_prob"])
            except NotFound:
                scores[model] = -1.0
        return scores[model]

    async def completions(request: Request) -> Response:
        asked = await request.json()
        await asyncio.sleep(seconds)
        if asked.get("echo"):
            mean = await score(asked["model"])
            return JSONResponse(_body(asked, [_choice(0, asked["prompt"], [None, mean, mean, 0.0])]))
        texts = [answer(asked["prompt"], asked.get("seed", 0) + i) for i in range(asked.get("n", 1))]
        return JSONResponse(_body(asked, [_choice(i, text, _log_probs(text)) for i, text in enumerate(texts)]))

    async def health(request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/v1/completions", completions, methods=["POST"]),
            Route("/health", health),
        ]
    )


_NAMES = tuple(f"{number:03d}" for number in range(1, 10))


def _log_probs(text: str) -> list[float | None]:
    """Returns a number for about every four characters; the same text gets the same numbers."""
    rng = random.Random(text)
    return [-0.05 - 0.5 * rng.random() for _ in range(1 + len(text) // 4)]


def _choice(index: int, text: str, log_probs: list[float | None]) -> dict[str, object]:
    return {"index": index, "text": text, "finish_reason": "stop", "logprobs": {"token_logprobs": log_probs}}


def _body(asked: dict[str, object], choices: list[dict[str, object]]) -> dict[str, object]:
    tokens = sum(len(str(choice["text"])) // 4 for choice in choices)
    usage = {"prompt_tokens": len(str(asked["prompt"])) // 4, "completion_tokens": tokens}
    return {"object": "text_completion", "model": asked["model"], "choices": choices, "usage": usage}


def main() -> None:
    """Serves until SIGTERM."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--seconds", type=float, default=0.0, help="how long every answer takes")
    chosen = options.parse_args()
    app = server(Store(load()), chosen.seconds)
    uvicorn.run(app, host="127.0.0.1", port=chosen.port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
