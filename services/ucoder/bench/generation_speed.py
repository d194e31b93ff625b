"""`ucoder bench generate`: how fast tokens come, beside what they could come at.

With a server (UCODER_MODEL_URL) the generator beside a bare client of it; with the local model that beside plain
`transformers.generate`.
"""

import json
from dataclasses import asdict
from itertools import islice

from rich.console import Console

from ucoder.bench import served_generation
from ucoder.evaluator.benchmarks import load
from ucoder.runs.run_to_checkpoint import base_path
from ucoder.runtime.settings import load as load_settings
from ucoder_development import local_generation


async def main(
    *, model: str = "seed", profile: str = "seed", prompts: int = 16, samples: int = 128, as_json: bool = False
) -> None:
    """Prints the throughput of `samples` completions for each of `prompts` tasks of the shipped dev split."""
    settings = load_settings()
    tasks = list(islice(load("seed", dev=True), prompts))
    if settings.model_url.startswith("local"):
        local = await local_generation.measure(base_path(model), tasks, samples, profile)
        found = asdict(local)
        words = (
            f"{local.tokens} tokens in {local.seconds:.1f} s with {local.workers} workers = "
            f"{local.tokens_per_second:.0f} tokens/s; transformers.generate in as many processes "
            f"{local.plain_tokens_per_second:.0f} tokens/s: {local.ratio:.1f} times as fast."
        )
    else:
        served = await served_generation.measure(settings, base_path(model), tasks, samples, profile)
        found = asdict(served)
        words = (
            f"{served.tokens_per_second:.0f} tokens/s, a bare client {served.bare_tokens_per_second:.0f}: "
            f"{100 * served.ratio:.1f} % (rounds: {', '.join(f'{100 * one:.1f}' for one in served.ratios)})."
        )
        if served.prefix_cache_hit_rate is not None:
            words += f" Prefix cache: {100 * served.prefix_cache_hit_rate:.0f} % of the prompts' tokens."
        if served.tokens_per_step is not None and served.most_running:
            words += f" Batch: {served.tokens_per_step:.0f} tokens a step, at most {served.most_running:.0f} rows."
    if as_json:
        print(json.dumps(found))
    else:
        Console().print(f"{len(tasks)} prompts x {samples} samples: {words}")
