"""The parts of a training that need no model: schedule, batches, and which tokens carry loss."""

from collections import Counter
from dataclasses import replace

import pytest

from ucoder.errors import Reject
from ucoder.trainer.optimizer import TokenizedExample, batches, learning_rate, steps_per_epoch, tokenize
from ucoder.trainer.training_job import TrainingRecipe, TrainingText
from ucoder_development.seed_training import FOLDER

RECIPE = TrainingRecipe(
    learning_rate=1.0, epochs=3, batch=16, micro_batch=4, warmup=0.1, weight_decay=0.0, max_grad_norm=1.0, seed=1
)


class Letters:
    """A tokenizer with one token per letter."""

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def examples(count: int) -> list[TokenizedExample]:
    return [TokenizedExample((7,) * (3 + i * i % 50) + (i,), 2) for i in range(count)]


def test_the_learning_rate_rises_linearly_then_falls_to_zero_along_a_cosine() -> None:
    rates = [learning_rate(step, 100, RECIPE) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_no_warm_up_starts_at_the_peak() -> None:
    assert learning_rate(0, 5, replace(RECIPE, warmup=0.0)) == 1.0
    assert learning_rate(0, 1, RECIPE) == 1.0


@pytest.mark.parametrize("count", [1, 16, 100, 700])
def test_every_epoch_sees_every_example_once(count: int) -> None:
    made = list(batches(examples(count), RECIPE))
    per_epoch = steps_per_epoch(count, RECIPE)
    assert len(made) == 3 * per_epoch
    for epoch in range(3):
        seen = Counter(
            one.ids for batch in made[epoch * per_epoch : (epoch + 1) * per_epoch] for part in batch for one in part
        )
        assert seen == Counter(one.ids for one in examples(count))


def test_batches_are_bounded_reshuffled_each_epoch_and_determined_by_the_seed() -> None:
    made = list(batches(examples(200), RECIPE))
    assert all(len(part) <= 4 for batch in made for part in batch)
    assert all(sum(map(len, batch)) <= 16 for batch in made)
    assert made == list(batches(examples(200), RECIPE))
    assert made != list(batches(examples(200), replace(RECIPE, seed=2)))
    assert made[:13] != made[13:26]


def test_little_of_a_micro_batch_is_padding() -> None:
    parts = [part for batch in batches(examples(700), RECIPE) for part in batch]
    used = sum(len(one.ids) for part in parts for one in part)
    padded = sum(len(part) * max(len(one.ids) for one in part) for part in parts)
    assert used / padded > 0.9


def test_the_completion_and_its_end_carry_loss_and_the_prompt_does_not() -> None:
    [one], too_long = tokenize(Letters(), [TrainingText("abc", "de")], 0, 100)
    assert (one.ids, one.prompt, too_long) == ((97, 98, 99, 100, 101, 0), 3, 0)
    assert one.targets == 3


def test_long_examples_are_left_out_and_counted() -> None:
    texts = [TrainingText("abc", "de"), TrainingText("abc", "d" * 10), TrainingText("a", "b")]
    kept, too_long = tokenize(Letters(), texts, 0, 6)
    assert (len(kept), too_long) == (2, 1)


def test_a_training_without_any_example_that_fits_is_rejected() -> None:
    with pytest.raises(Reject, match="none of 1 training examples fits into 8 tokens"):
        tokenize(Letters(), [TrainingText("abc", "d" * 10)], 0, 8)
    assert tokenize(Letters(), [TrainingText("abc", "d" * 10)], 0, 8, required=False) == ([], 1)


def test_a_program_that_spells_the_end_token_does_not_teach_the_model_to_end() -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(FOLDER)
    end = tokenizer.eos_token_id
    program = f"    return text.split('{tokenizer.eos_token}')\n"
    [one], _ = tokenize(tokenizer, [TrainingText("def f(text):\n", program)], end, 100)
    assert [one.ids.count(end), one.ids[-1]] == [1, end]
    assert tokenizer.decode(one.ids[one.prompt : -1]) == program
