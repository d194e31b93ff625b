"""The yardstick of `ucoder bench generate`: transformers' own `generate`, one completion at a time.

`python -m ucoder_development.plain_generate` reads {"model", "prompts", "temperature", "top_p", "max_tokens", "seconds"}
as JSON on stdin and writes {"tokens", "seconds"}.
"""

import itertools
import json
import sys
import time

import torch
from transformers.utils import logging

from ucoder.models.local.loaded_model import load_model


def main() -> None:
    """Samples for about `seconds`, prompt after prompt."""
    asked = json.load(sys.stdin)
    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    checkpoint = load_model(asked["model"])
    prompts = [torch.tensor([checkpoint.ids(prompt)], device=checkpoint.model.device) for prompt in asked["prompts"]]
    tokens, started = 0, time.perf_counter()
    for ids in itertools.cycle(prompts):
        with torch.inference_mode():
            answer = checkpoint.model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=asked["temperature"],
                top_p=asked["top_p"], top_k=0, max_new_tokens=asked["max_tokens"],
            )  # fmt: skip
        tokens += answer.shape[1] - ids.shape[1]
        if time.perf_counter() - started >= asked["seconds"]:
            break
    print(json.dumps({"tokens": tokens, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
