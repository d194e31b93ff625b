"""The shipped model is an ordinary Hugging Face folder whose tokens keep prompt and completion apart."""

import json
import random
from itertools import islice
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from ucoder_development.seed_corpus import GRAMMAR, documents  # noqa: E402
from ucoder_development.seed_training import FOLDER, PHASES, batches, examples, loss_of, shape  # noqa: E402


def test_the_folder_is_complete_and_names_no_machine() -> None:
    names = {file.name for file in FOLDER.iterdir()}
    assert names >= {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md"}
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    assert config["dtype"] == "bfloat16"
    text = "".join(file.read_text() for file in FOLDER.iterdir() if file.suffix in (".json", ".md"))
    assert str(Path.home()) not in text
    assert "/work" not in text


def test_a_prompt_and_its_completion_never_share_a_token() -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    for document in islice(documents(11), 200):
        for completion in document.completions:
            apart = tokenizer(document.prompt)["input_ids"] + tokenizer(completion)["input_ids"]
            assert tokenizer(document.prompt + completion)["input_ids"] == apart
            assert tokenizer.decode(apart) == document.prompt + completion


def test_solutions_sharing_a_row_cost_what_they_cost_alone() -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    end = tokenizer.eos_token_id
    batch = list(islice(examples(documents(3), tokenizer), 6))
    alone = [(prompt, [completion]) for prompt, completions in batch for completion in completions]
    assert len(alone) > len(batch)
    with torch.no_grad():
        together = loss_of(model, batch, end).item()
        sizes = [len(completions[0]) for _, completions in alone]
        apart = sum(loss_of(model, [one], end).item() * size for one, size in zip(alone, sizes, strict=True))
    assert together == pytest.approx(apart / sum(sizes), rel=1e-4)
    assert together < 1.0, "the shipped model does not know its own corpus"


def test_batches_depend_on_the_seed_alone() -> None:
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)

    def some() -> list[object]:
        return list(islice(batches(examples(documents(0, GRAMMAR), tokenizer), random.Random(0)), 3))

    assert some() == some()


def test_the_rate_of_a_phase_warms_up_and_falls() -> None:
    for phase in PHASES:
        rates = [phase.rate(step) for step in range(phase.steps)]
        assert 0 < rates[0] < 0.05
        assert max(rates) <= 1
        assert (rates[-1] <= 0.01) == phase.falls


def test_the_shape_is_small() -> None:
    config = shape(0)
    assert config.hidden_size // config.num_attention_heads in (32, 64)
    assert config.num_hidden_layers * config.hidden_size < 2000
