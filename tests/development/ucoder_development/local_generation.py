"""The local model against transformers' own `generate`.

Both sample the same prompts in the same way on the same cores: the yardstick one completion at a time, in as many
processes as the local model has workers.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from ucoder.errors import Retry
from ucoder.evaluator.benchmarks.task import BenchmarkTask
from ucoder.models import SamplingParameters, open_model
from ucoder.models.prompts import Prompts
from ucoder.runtime.settings import Settings

DRAW = SamplingParameters(temperature=0.8, top_p=1.0, max_tokens=120)
YARDSTICK_SECONDS = 8.0


@dataclass(frozen=True)
class LocalThroughput:
    """What was measured; tokens are those drawn, prompts not counted."""

    workers: int
    prompts: int
    samples: int
    tokens: int
    seconds: float
    tokens_per_second: float
    plain_tokens_per_second: float
    ratio: float


async def measure(folder: str, tasks: list[BenchmarkTask], samples: int, profile: str) -> LocalThroughput:
    """The local model first, then the yardstick, on the same prompts."""
    workers = os.cpu_count() or 1
    prompts = Prompts.load(profile)
    asked = [prompts.render("solution", problem=task.prompt) for task in tasks]
    model = open_model(Settings(model_url=f"local:{workers}"))
    try:
        await model.serve(folder)
        started = time.perf_counter()
        answers = await asyncio.gather(
            *(model.complete(folder, prompt, n=samples, sampling=DRAW, seed=seed) for seed, prompt in enumerate(asked))
        )
        seconds = time.perf_counter() - started
    finally:
        await model.close()
    tokens = sum(one.tokens for completions in answers for one in completions)
    told = {"model": folder, "prompts": asked, "seconds": YARDSTICK_SECONDS, **asdict(DRAW)}
    plain = await asyncio.gather(*(_plain(told) for _ in range(workers)))
    rate, yardstick = tokens / seconds, sum(one["tokens"] / one["seconds"] for one in plain)
    return LocalThroughput(workers, len(asked), samples, tokens, seconds, rate, yardstick, rate / yardstick)


async def _plain(told: dict[str, Any]) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ucoder_development.plain_generate", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    answer, _ = await process.communicate(json.dumps(told).encode())
    if process.returncode:
        raise Retry(f"the yardstick ended with code {process.returncode}; its traceback is above.")
    return json.loads(answer)  # type: ignore[no-any-return]
