"""Measures the generator on a model server, compared with a bare asyncio client: same prompts, counts, seeds, in turns.

Tokens are the server's own count (`usage`). Prefix-cache hits and rows per engine step come from vLLM's /metrics.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import httpx
from rich.console import Console

from ucoder.errors import Misconfigured
from ucoder.evaluator.benchmarks import BenchmarkTask, load_benchmark
from ucoder.generator.solution_sampling import sample_solutions
from ucoder.models import open_model
from ucoder.models.openai_model import server_seed
from ucoder.models.prompts import Prompts
from ucoder.models.switching_model import SwitchingModel
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime import settings as runtime_settings
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

SAMPLING = config_pb2.Sampling(temperature=0.8, top_p=1.0, max_tokens=120)
ROUNDS = 7
POLL_SECONDS = 0.25
"""Between looks at the metrics of the server."""


@dataclass(frozen=True)
class ServedThroughput:
    """The throughput of one server. Without vLLM's metrics the last three numbers are None."""

    prompts: int
    samples: int
    tokens_per_second: float
    bare_tokens_per_second: float
    """In the best round, as the number before it: other work on the machine only ever makes a round slower."""
    ratio: float
    ratios: list[float]
    """Of each round, ours to the bare client's. Each goes first in every second round."""
    prefix_cache_hit_rate: float | None
    """Share of the prompts' tokens that were not computed again."""
    tokens_per_step: float | None
    """Rows that one step of the engine advances."""
    most_running: float | None
    """Most rows that were in work at once."""

    def summary(self) -> str:
        """Returns the numbers as one line."""
        rounds = ", ".join(f"{100 * ratio:.1f}" for ratio in self.ratios)
        parts = [
            f"{self.tokens_per_second:.0f} tokens/s, a bare client {self.bare_tokens_per_second:.0f}: "
            f"{100 * self.ratio:.1f} % (rounds: {rounds})."
        ]
        if self.prefix_cache_hit_rate is not None:
            parts.append(f"Prefix cache: {100 * self.prefix_cache_hit_rate:.0f} % of the prompts' tokens.")
        if self.tokens_per_step is not None and self.most_running:
            parts.append(f"Batch: {self.tokens_per_step:.0f} tokens a step, at most {self.most_running:.0f} rows.")
        return " ".join(parts)


async def measure_and_print(model: str, profile: str, prompts: int, samples: int, *, as_json: bool) -> None:
    """Prints the throughput of `samples` completions for each of `prompts` tasks of the shipped dev split."""
    tasks = list(islice(load_benchmark("seed", dev=True), prompts))
    found = await measure(runtime_settings.load(), base_path(model), tasks, samples, profile)
    if as_json:
        print(json.dumps(asdict(found)))
    else:
        Console().print(f"{len(tasks)} prompts x {samples} samples: {found.summary()}")


async def measure(
    settings: Settings, name: str, tasks: list[BenchmarkTask], samples: int, profile: str
) -> ServedThroughput:
    """Alternates the two clients, after one round that warms the server up and is not counted."""
    model = open_model(settings)
    if not isinstance(model, SwitchingModel):
        raise Misconfigured("UCODER_MODEL_URL names no server; set it to an OpenAI-compatible one.")
    prompts = Prompts.load(profile)
    problems = [pb.Problem(prompt=task.prompt, entry_point=task.entry_point) for task in tasks]
    config = config_pb2.CandidateConfig(n=samples, sampling=SAMPLING)
    headers = {"Authorization": f"Bearer {settings.model_api_key}"} if settings.model_api_key else {}

    async def with_generator() -> None:
        work = (
            sample_solutions(model, name, problem, config, profile, n=samples, seed=seed)
            for seed, problem in enumerate(problems)
        )
        await asyncio.gather(*work)

    try:
        await model.serve(name)
        async with httpx.AsyncClient(headers=headers, timeout=600) as client:
            requests = [
                {
                    "model": name, "prompt": prompts.render("solution", problem=problem.prompt), "n": samples,
                    "temperature": SAMPLING.temperature, "top_p": SAMPLING.top_p, "max_tokens": SAMPLING.max_tokens,
                    "stop": list(prompts.stop("solution")), "seed": server_seed(seed), "logprobs": 1,
                }
                for seed, problem in enumerate(problems)
            ]  # fmt: skip

            async def with_bare_client() -> int:
                answers = await asyncio.gather(*(_post(client, model.url, body) for body in requests))
                return sum(answer["usage"]["completion_tokens"] for answer in answers)

            tokens = await with_bare_client()
            before = await _metrics(client, model.url)
            watching = asyncio.create_task(_most_running(client, model.url))
            ours: list[float] = []
            bare: list[float] = []
            for number in range(ROUNDS):
                for work, seconds in ((with_generator, ours), (with_bare_client, bare))[:: 1 if number % 2 else -1]:
                    seconds.append(await _timed(work))
            watching.cancel()
            after = await _metrics(client, model.url)
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        await model.close()
    speed, bare_speed = tokens / min(ours), tokens / min(bare)
    changes = {key: value - before.get(key, 0.0) for key, value in after.items()}
    return ServedThroughput(
        prompts=len(tasks),
        samples=samples,
        tokens_per_second=speed,
        bare_tokens_per_second=bare_speed,
        ratio=speed / bare_speed,
        ratios=[theirs / own for own, theirs in zip(ours, bare, strict=True)],
        prefix_cache_hit_rate=_share(changes, "prefix_cache_hits_total", "prefix_cache_queries_total"),
        tokens_per_step=_share(changes, "iteration_tokens_total_sum", "iteration_tokens_total_count"),
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
    """Polls the metrics until it is cancelled, then returns the most rows that were in work at once."""
    most = 0.0
    try:
        while True:
            most = max(most, (await _metrics(client, url)).get("num_requests_running", 0.0))
            await asyncio.sleep(POLL_SECONDS)
    except asyncio.CancelledError:
        return most


async def _metrics(client: httpx.AsyncClient, url: str) -> dict[str, float]:
    """Returns vLLM's counters, each summed over its labels; none from another server."""
    found: dict[str, float] = {}
    answer = await client.get(url.removesuffix("/v1") + "/metrics")
    for name, value in re.findall(r"^vllm:(\w+)(?:{.*})? (\S+)$", answer.text, re.MULTILINE):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def _share(changes: dict[str, float], part: str, whole: str) -> float | None:
    return changes[part] / changes[whole] if changes.get(whole) else None
