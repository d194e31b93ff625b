"""Measures the local model, compared with transformers' own `generate`.

Both sample the same prompts in the same way on the same cores. The baseline makes one completion at a time, in as many
processes as the local model has workers: `python -m ucoder_development.local_generation` is one of them. It reads
{"model", "prompts", "temperature", "top_p", "max_tokens", "seconds"} as JSON and writes {"tokens", "seconds"}.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from ucoder.errors import Retry
from ucoder.evaluator.benchmarks import BenchmarkTask, load_benchmark
from ucoder.models import SamplingParameters, open_model
from ucoder.models.prompts import Prompts
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.settings import Settings

SAMPLING = SamplingParameters(temperature=0.8, top_p=1.0, max_tokens=120)
BASELINE_SECONDS = 8.0


@dataclass(frozen=True)
class LocalThroughput:
    """The throughput of the local model and of the baseline. Tokens are sampled ones, without the prompts'."""

    workers: int
    prompts: int
    samples: int
    tokens: int
    seconds: float
    tokens_per_second: float
    plain_tokens_per_second: float
    ratio: float


async def measure_and_print(model: str, profile: str, prompts: int, samples: int, *, as_json: bool) -> None:
    """Prints the throughput of `samples` completions for each of `prompts` tasks of the shipped dev split."""
    tasks = list(itertools.islice(load_benchmark("seed", dev=True), prompts))
    found = await measure(base_path(model), tasks, samples, profile)
    if as_json:
        print(json.dumps(asdict(found)))
        return
    Console().print(
        f"{len(tasks)} prompts x {samples} samples: {found.tokens} tokens in {found.seconds:.1f} s with {found.workers}"
        f" workers = {found.tokens_per_second:.0f} tokens/s; transformers.generate in as many processes "
        f"{found.plain_tokens_per_second:.0f} tokens/s: {found.ratio:.1f} times as fast."
    )


async def measure(folder: str, tasks: list[BenchmarkTask], samples: int, profile: str) -> LocalThroughput:
    """Measures the local model first and then the baseline, on the same prompts."""
    workers = os.cpu_count() or 1
    prompts = Prompts.load(profile)
    texts = [prompts.render("solution", problem=task.prompt) for task in tasks]
    model = open_model(Settings(model_url=f"local:{workers}"))
    try:
        await model.serve(folder)
        started = time.perf_counter()
        answers = await asyncio.gather(
            *(model.complete(folder, text, n=samples, sampling=SAMPLING, seed=seed) for seed, text in enumerate(texts))
        )
        seconds = time.perf_counter() - started
    finally:
        await model.close()
    tokens = sum(one.tokens for completions in answers for one in completions)
    request = {"model": folder, "prompts": texts, "seconds": BASELINE_SECONDS, **asdict(SAMPLING)}
    plain = await asyncio.gather(*(_run_baseline(request) for _ in range(workers)))
    speed, baseline = tokens / seconds, sum(one["tokens"] / one["seconds"] for one in plain)
    return LocalThroughput(workers, len(texts), samples, tokens, seconds, speed, baseline, speed / baseline)


async def _run_baseline(request: dict[str, Any]) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ucoder_development.local_generation", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    answer, _ = await process.communicate(json.dumps(request).encode())
    if process.returncode:
        raise Retry(f"the baseline ended with code {process.returncode}; its traceback is above.")
    return json.loads(answer)  # type: ignore[no-any-return]


def run_plain_generate() -> None:
    """Runs `transformers.generate` for about `seconds`, prompt after prompt."""
    import torch
    from transformers.utils import logging

    from ucoder.models.local.loaded_model import load_model

    request = json.load(sys.stdin)
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    loaded = load_model(request["model"])
    prompts = [torch.tensor([loaded.prompt_tokens(text)], device=loaded.model.device) for text in request["prompts"]]
    tokens, started = 0, time.perf_counter()
    for ids in itertools.cycle(prompts):
        with torch.inference_mode():
            answer = loaded.model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=request["temperature"],
                top_p=request["top_p"], top_k=0, max_new_tokens=request["max_tokens"],
            )  # fmt: skip
        tokens += answer.shape[1] - ids.shape[1]
        if time.perf_counter() - started >= request["seconds"]:
            break
    print(json.dumps({"tokens": tokens, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    run_plain_generate()
