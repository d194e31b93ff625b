"""The generator against a bare asyncio client of the same server: the same prompts, numbers and seeds, in turns.

Tokens are the server's own count (`usage`). Prefix-cache hits and rows per engine step come from vLLM's /metrics.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmarks.task import BenchmarkTask
from ucoder.generator.solution_sampling import sample_solutions
from ucoder.models import open_model
from ucoder.models.openai_model import server_seed
from ucoder.models.prompts import Prompts
from ucoder.models.switching_model import SwitchingModel
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

SAMPLING = config_pb2.Sampling(temperature=0.8, top_p=1.0, max_tokens=120)
ROUNDS = 7
LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class ServedThroughput:
    """Of one server. Without vLLM's metrics the last three are None."""

    prompts: int
    samples: int
    tokens_per_second: float
    bare_tokens_per_second: float
    """Of the best rounds: what else runs on a machine only ever takes away."""
    ratio: float
    ratios: list[float]
    """Of each round, ours to the bare client's; who goes first changes from round to round."""
    prefix_cache_hit_rate: float | None
    """Share of the prompts' tokens that were not computed again."""
    tokens_per_step: float | None
    """Rows that one step of the engine advances."""
    most_running: float | None
    """Rows that were seen to be under way at once."""


async def measure(
    settings: Settings, name: str, tasks: list[BenchmarkTask], samples: int, profile: str
) -> ServedThroughput:
    """Alternates the two, after one round that warms the server up and is not counted."""
    model = open_model(settings)
    if not isinstance(model, SwitchingModel):
        raise Misconfigured("UCODER_MODEL_URL names no server.")
    prompts = Prompts.load(profile)
    problems = [pb.Problem(prompt=task.prompt, entry_point=task.entry_point) for task in tasks]
    config = config_pb2.CandidateConfig(n=samples, sampling=SAMPLING)
    headers = {"Authorization": f"Bearer {settings.model_api_key}"} if settings.model_api_key else {}

    async def ours() -> None:
        asked = (
            sample_solutions(model, name, problem, config, profile, n=samples, seed=seed)
            for seed, problem in enumerate(problems)
        )
        await asyncio.gather(*asked)

    try:
        await model.serve(name)
        async with httpx.AsyncClient(headers=headers, timeout=600) as client:
            asked = [
                {
                    "model": name, "prompt": prompts.render("solution", problem=problem.prompt), "n": samples,
                    "temperature": SAMPLING.temperature, "top_p": SAMPLING.top_p, "max_tokens": SAMPLING.max_tokens,
                    "stop": list(prompts.stop("solution")), "seed": server_seed(seed), "logprobs": 1,
                }
                for seed, problem in enumerate(problems)
            ]  # fmt: skip

            async def bare() -> int:
                answers = await asyncio.gather(*(_post(client, model.url, body) for body in asked))
                return sum(answer["usage"]["completion_tokens"] for answer in answers)

            tokens = await bare()
            before = await _metrics(client, model.url)
            watching = asyncio.create_task(_most_running(client, model.url))
            mine: list[float] = []
            theirs: list[float] = []
            for number in range(ROUNDS):
                for work, seconds in ((ours, mine), (bare, theirs))[:: 1 if number % 2 else -1]:
                    seconds.append(await _timed(work))
            watching.cancel()
            after = await _metrics(client, model.url)
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        await model.close()
    here, there = tokens / min(mine), tokens / min(theirs)
    moved = {key: value - before.get(key, 0.0) for key, value in after.items()}
    return ServedThroughput(
        prompts=len(tasks),
        samples=samples,
        tokens_per_second=here,
        bare_tokens_per_second=there,
        ratio=here / there,
        ratios=[bare_seconds / own for own, bare_seconds in zip(mine, theirs, strict=True)],
        prefix_cache_hit_rate=_share(moved, "prefix_cache_hits_total", "prefix_cache_queries_total"),
        tokens_per_step=_share(moved, "iteration_tokens_total_sum", "iteration_tokens_total_count"),
        most_running=None if watching.cancelled() else watching.result() or None,
    )


async def _post(client: httpx.AsyncClient, url: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(f"{url}/completions", json=body)
    answer.raise_for_status()
    return answer.json()  # type: ignore[no-any-return]


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def _most_running(client: httpx.AsyncClient, url: str) -> float:
    """Looks until it is cancelled."""
    most = 0.0
    try:
        while True:
            most = max(most, (await _metrics(client, url)).get("num_requests_running", 0.0))
            await asyncio.sleep(LOOK_SECONDS)
    except asyncio.CancelledError:
        return most


async def _metrics(client: httpx.AsyncClient, url: str) -> dict[str, float]:
    """vLLM's counters, each summed over its labels; nothing from another server."""
    found: dict[str, float] = {}
    answer = await client.get(url.removesuffix("/v1") + "/metrics")
    for name, value in re.findall(r"^vllm:(\w+)(?:{.*})? (\S+)$", answer.text, re.MULTILINE):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def _share(moved: dict[str, float], part: str, whole: str) -> float | None:
    return moved[part] / moved[whole] if moved.get(whole) else None
