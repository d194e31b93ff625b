"""Makes the seed model: `python -m ucoder.seed.train [--out FOLDER] [--steps N] [--seed S]`.

One CPU thread, about half an hour, the same files for the same seed on the same machine. Plain next-token
training on the corpus stream with the loss on completions only: with the loss on prompts too, a model this small
does not get to the solutions.
"""

import argparse
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn import functional
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from .corpus import Document, documents
from .tokens import train_tokenizer

FOLDER = Path(__file__).parent / "model"
STEPS = 6000
BATCH_TOKENS = 3000
PEAK_RATE = 3e-3
WARM_UP = 100
DECAY_FROM = 0.5
"""Share of the steps after which the learning rate falls in a straight line to nothing."""
POOL = 2048
"""Documents sorted by length at a time, so that batches hold little padding."""


def shape(end: int) -> Qwen2Config:
    """0.95 million parameters; heads of 64, which every attention kernel of vLLM supports."""
    return Qwen2Config(
        vocab_size=1024, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=True, attention_dropout=0.0,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None, eos_token_id=end, pad_token_id=end, use_cache=True, dtype="float32",
    )  # fmt: skip


Example = tuple[list[int], int]
"""Token ids of prompt, completion and end, and how many of them are prompt."""


def examples(stream: Iterator[Document], tokenizer: Qwen2Tokenizer) -> Iterator[Example]:
    longest = 400
    while True:
        pool = list(islice(stream, 512))
        prompts = tokenizer([document.prompt for document in pool])["input_ids"]
        completions = tokenizer([document.completion for document in pool])["input_ids"]
        for prompt, completion in zip(prompts, completions, strict=True):
            if len(prompt) + len(completion) < longest:
                yield [*prompt, *completion, tokenizer.eos_token_id], len(prompt)


def batches(stream: Iterator[Example], rng: random.Random) -> Iterator[list[Example]]:
    """Batches of about BATCH_TOKENS tokens, each of documents of similar length."""
    while True:
        pool = sorted(islice(stream, POOL), key=lambda example: len(example[0]))
        made: list[list[Example]] = [[]]
        for example in pool:
            if len(example[0]) * (len(made[-1]) + 1) > BATCH_TOKENS:
                made.append([])
            made[-1].append(example)
        rng.shuffle(made)
        yield from made


def loss_of(model: Qwen2ForCausalLM, batch: list[Example], end: int) -> torch.Tensor:
    """Mean cross-entropy over the completions' tokens. Padding stands on the right, so causality hides it."""
    width = max(len(ids) for ids, _ in batch)
    inputs = torch.tensor([ids + [end] * (width - len(ids)) for ids, _ in batch])
    spots = torch.zeros(inputs.shape, dtype=torch.bool)
    for row, (ids, prompt) in enumerate(batch):
        spots[row, prompt - 1 : len(ids) - 1] = True
    hidden = model.model(input_ids=inputs).last_hidden_state[:, :-1][spots[:, :-1]]
    return functional.cross_entropy(model.lm_head(hidden), inputs[:, 1:][spots[:, :-1]])


def rate_at(step: int, steps: int) -> float:
    """Share of the peak rate: warm-up, plateau, straight line down."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    start = steps * DECAY_FROM
    return 1.0 if step < start else max(0.01, (steps - step) / (steps - start))


def train(out: Path, seed: int, steps: int) -> None:
    """Writes an ordinary Hugging Face folder: config, bf16 safetensors, tokenizer, generation config."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    sample = islice(documents(seed), 6000)
    tokenizer = train_tokenizer(document.prompt + document.completion for document in sample)
    end = tokenizer.eos_token_id
    model = Qwen2ForCausalLM(shape(end))
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    stream = batches(examples(documents(seed), tokenizer), random.Random(seed))
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeRemainingColumn())
    running = 4.0
    with Progress(*columns) as progress:
        bar = progress.add_task("training", total=steps)
        for step, batch in zip(range(steps), stream, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = PEAK_RATE * rate_at(step, steps)
            loss = loss_of(model, batch, end)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running += 0.02 * (loss.item() - running)
            progress.update(bar, advance=1, description=f"training, loss {running:.3f}")
    save(model, tokenizer, out)


def save(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    end = tokenizer.eos_token_id
    model.generation_config = GenerationConfig(eos_token_id=end, pad_token_id=end, do_sample=True)
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    config = json.loads((out / "config.json").read_text())
    config.pop("_name_or_path", None)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the seed model.")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train(given.out, given.seed, given.steps)


if __name__ == "__main__":
    main()
