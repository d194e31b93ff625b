"""Makes the seed model: `python -m ucoder_development.seed_training [--out FOLDER] [--seed S]`.

It takes one CPU thread for 15 to 30 minutes; the same seed gives the same files on the same machine. It is next-token
training on the corpus stream with the loss on completions only, because with the loss on prompts too a model this small
does not learn the solutions.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.nn import functional
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from ucoder_development.seed_corpus import GRAMMAR, HABITS, Document, Recipe, documents
from ucoder_development.seed_tokenizer import train_tokenizer

FOLDER = Path(str(resources.files("ucoder.seed"))) / "model"
PEAK_RATE = 2.5e-3
WARM_UP = 100
BATCH_TOKENS = 3000
LONGEST = 400
POOL = 2048
"""Documents that are sorted by length at a time, so that batches hold little padding."""


@dataclass(frozen=True)
class Phase:
    """A part of the training with its own documents, optimizer and learning rate."""

    name: str
    steps: int
    recipe: Recipe
    falls: bool

    def rate(self, step: int) -> float:
        """Returns the share of the peak rate: a warm-up, then constant or falling in a straight line."""
        down = max(0.01, 1 - step / self.steps) if self.falls else 1.0
        return min(1.0, (step + 1) / WARM_UP) * down


PHASES = (Phase("grammar", 1500, GRAMMAR, falls=False), Phase("habits", 1500, HABITS, falls=True))
"""First right solutions only, because the grammar is then learned faster; afterwards the corpus with its errors."""


def shape(end: int) -> Qwen2Config:
    """Returns a configuration of 0.99 million parameters, in four layers of four heads of 32."""
    return Qwen2Config(
        vocab_size=1024, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, tie_word_embeddings=True, attention_dropout=0.0,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None, eos_token_id=end, pad_token_id=end, use_cache=True, dtype="float32",
    )  # fmt: skip


Example = tuple[list[int], list[list[int]]]
"""Token ids of a prompt and of its completions, each with the end token."""


def examples(stream: Iterator[Document], tokenizer: Qwen2Tokenizer) -> Iterator[Example]:
    """Yields tokenized documents that are not too long."""
    while True:
        pool = list(islice(stream, 512))
        prompts = tokenizer([document.prompt for document in pool])["input_ids"]
        flat = tokenizer([text for document in pool for text in document.completions])["input_ids"]
        completions = iter(flat)
        for document, prompt in zip(pool, prompts, strict=True):
            example = prompt, [[*next(completions), tokenizer.eos_token_id] for _ in document.completions]
            if width(example) <= LONGEST:
                yield example


def width(example: Example) -> int:
    """Returns the number of tokens of a prompt and all its completions."""
    return len(example[0]) + sum(map(len, example[1]))


def batches(stream: Iterator[Example], rng: random.Random) -> Iterator[list[Example]]:
    """Yields batches of about BATCH_TOKENS tokens, each of documents of similar length."""
    while True:
        pool = sorted(islice(stream, POOL), key=width)
        made: list[list[Example]] = [[]]
        for example in pool:
            if width(example) * (len(made[-1]) + 1) > BATCH_TOKENS:
                made.append([])
            made[-1].append(example)
        rng.shuffle(made)
        yield from made


def loss_of(model: Qwen2ForCausalLM, batch: list[Example], end: int) -> torch.Tensor:
    """Returns the mean cross-entropy over the tokens of the completions.

    The completions of one prompt share a row: each attends to the prompt and to itself, and its positions follow the
    prompt's. So a prompt is computed once for all its solutions.
    """
    shape = len(batch), max(map(width, batch))
    inputs, positions = torch.full(shape, end), torch.zeros(shape, dtype=torch.long)
    part = torch.zeros(shape, dtype=torch.long)
    sources, labels = [], []
    for row, (prompt, completions) in enumerate(batch):
        at = len(prompt)
        inputs[row, :at], positions[row, :at] = torch.tensor(prompt), torch.arange(at)
        for number, completion in enumerate(completions, 1):
            stop = at + len(completion)
            inputs[row, at:stop] = torch.tensor(completion)
            positions[row, at:stop] = torch.arange(len(prompt), len(prompt) + len(completion))
            part[row, at:stop] = number
            sources += [row * shape[1] + i for i in (len(prompt) - 1, *range(at, stop - 1))]
            labels += completion
            at = stop
    same = (part[:, :, None] == part[:, None, :]) | (part[:, None, :] == 0)
    mask = (same & torch.ones(shape[1], shape[1], dtype=torch.bool).tril())[:, None]
    hidden = model.model(input_ids=inputs, position_ids=positions, attention_mask=mask).last_hidden_state
    return functional.cross_entropy(model.lm_head(hidden.flatten(0, 1)[sources]), torch.tensor(labels))


def run(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, phase: Phase, seed: int) -> Iterator[float]:
    """Trains in place and yields the loss of every step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    stream = batches(examples(documents(seed, phase.recipe), tokenizer), random.Random(seed))
    for step, batch in zip(range(phase.steps), stream, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * phase.rate(step)
        loss = loss_of(model, batch, tokenizer.eos_token_id)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield loss.item()


def train(out: Path, seed: int) -> None:
    """Writes an ordinary Hugging Face folder: config, bf16 safetensors, tokenizer, generation config."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    sample = islice(documents(seed), 6000)
    tokenizer = train_tokenizer(document.prompt + document.completions[0] for document in sample)
    model = Qwen2ForCausalLM(shape(tokenizer.eos_token_id))  # type: ignore[no-untyped-call]
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeRemainingColumn())
    with Progress(*columns) as progress:
        for number, phase in enumerate(PHASES):
            bar = progress.add_task(phase.name, total=phase.steps)
            for loss in run(model, tokenizer, phase, seed + number):
                progress.update(bar, advance=1, description=f"{phase.name}, loss {loss:.3f}")
            for weight in model.parameters():  # as a checkpoint would hold it
                weight.data = weight.data.to(torch.bfloat16).to(torch.float32)
    save(model, tokenizer, out)


def save(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, out: Path) -> None:
    """Writes the folder."""
    end = tokenizer.eos_token_id
    settings: dict[str, Any] = {"eos_token_id": end, "pad_token_id": end, "do_sample": True}
    model.generation_config = GenerationConfig(**settings)  # type: ignore[no-untyped-call]
    nn.Module.to(model, torch.bfloat16)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main() -> None:
    """Trains by the arguments of the command line."""
    parser = argparse.ArgumentParser(description="Make the seed model.")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train(given.out, given.seed)


if __name__ == "__main__":
    main()
