"""The decoder against transformers' own words and numbers, with the shipped model."""

import itertools
from importlib import resources

import pytest
import torch

from ucoder.errors import Reject
from ucoder.models.local.decoding import Decoder, DecodeRequest
from ucoder.models.local.loaded_model import LoadedModel, load_model
from ucoder.models.protocol import Completion, SamplingParameters

PROMPTS = [
    f'# solution\ndef {name}(xs: list[int]) -> {result}:\n    """{words}.\n\n    >>> {shown}\n    """\n'
    for name, result, words, shown in (
        ("f", "int", "Add the numbers up", "f([3, 1])\n    4"),
        ("arrange_the_numbers", "list[int]", "Sort the numbers", "arrange_the_numbers([3, 1])\n    [1, 3]"),
        ("g", "list[int]", "Read the numbers backwards, then sort the numbers", "g([3, 1])\n    [1, 3]"),
        ("largest_of", "int", "Take the largest number", "largest_of([3, 1])\n    3"),
    )
]
GREEDY = SamplingParameters(temperature=0, top_p=1, max_tokens=60)
WARM = SamplingParameters(temperature=0.8, top_p=0.95, max_tokens=60)


@pytest.fixture(scope="module")
def checkpoint() -> LoadedModel:
    torch.set_num_threads(1)
    return load_model(str(resources.files("ucoder.seed") / "model"))


def asks(
    checkpoint: LoadedModel, draw: SamplingParameters, rows: int = 8, stop: tuple[str, ...] = ()
) -> list[DecodeRequest]:
    prompts = [tuple(checkpoint.prompt_tokens(prompt)) for prompt in PROMPTS]
    return [DecodeRequest(key, prompt, 0, rows, draw, stop, seed=key) for key, prompt in enumerate(prompts)]


def run(checkpoint: LoadedModel, *batches: list[DecodeRequest], max_rows: int = 128) -> dict[int, list[Completion]]:
    """Adds a batch, takes a few steps, adds the next, and so on to the end."""
    decoder = Decoder(checkpoint, max_rows)
    done: dict[int, list[Completion]] = {}
    for batch in batches:
        for ask in batch:
            decoder.add(ask)
        for _ in range(7):
            done.update(decoder.step())
    while decoder.busy:
        done.update(decoder.step())
    return done


def test_greedy_is_what_transformers_generates(checkpoint: LoadedModel) -> None:
    found = run(checkpoint, asks(checkpoint, GREEDY, rows=1))
    for key, prompt in enumerate(PROMPTS):
        ids = torch.tensor([checkpoint.prompt_tokens(prompt)])
        with torch.inference_mode():
            answer = checkpoint.model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=60
            )
        new = answer[0, ids.shape[1] :]
        assert found[key][0].text == checkpoint.tokenizer.decode(new, skip_special_tokens=True)
        assert found[key][0].tokens == len(new)


def test_log_probabilities_are_those_of_a_plain_forward_pass(checkpoint: LoadedModel) -> None:
    for key, completions in run(checkpoint, asks(checkpoint, WARM)).items():
        prompt = checkpoint.prompt_tokens(PROMPTS[key])
        for one in completions:
            new = checkpoint.tokenizer(one.text, add_special_tokens=False)["input_ids"]
            new += [checkpoint.tokenizer.eos_token_id] * (one.finish == "stop")
            if len(new) != one.tokens:
                continue  # drawn as other tokens than the tokenizer would make of the same text
            with torch.inference_mode():
                logits = checkpoint.model(torch.tensor([prompt + new])).logits[0, len(prompt) - 1 : -1]
            wanted = torch.log_softmax(logits, -1).gather(-1, torch.tensor(new)[:, None]).mean().item()
            assert one.mean_log_prob == pytest.approx(wanted, abs=1e-4)


def test_a_request_draws_the_same_whatever_runs_beside_it(checkpoint: LoadedModel) -> None:
    alone = {ask.key: run(checkpoint, [ask])[ask.key] for ask in asks(checkpoint, WARM)}
    crowd = [
        DecodeRequest(100 + i, tuple(checkpoint.prompt_tokens(PROMPTS[i % 4])), 0, 6, WARM, (), i) for i in range(12)
    ]
    joined = run(checkpoint, crowd[:4], asks(checkpoint, WARM), crowd[4:], max_rows=40)
    pairs = [pair for key, there in alone.items() for pair in zip(there, joined[key], strict=True)]
    same = [one.text == other.text for one, other in pairs]
    assert len(same) == 32
    assert sum(same) >= 31  # the last bit of a float may tip one


def test_rows_in_chunks_are_the_rows_of_the_whole(checkpoint: LoadedModel) -> None:
    prompt = tuple(checkpoint.prompt_tokens(PROMPTS[2]))
    whole = run(checkpoint, [DecodeRequest(0, prompt, 0, 10, WARM, (), 5)])[0]
    parts = run(checkpoint, [DecodeRequest(1, prompt, 0, 4, WARM, (), 5), DecodeRequest(2, prompt, 4, 6, WARM, (), 5)])
    same = [a.text == b.text for a, b in zip(whole, [*parts[1], *parts[2]], strict=True)]
    assert sum(same) >= 9
    assert len({one.text for one in whole}) > 1


def test_a_stop_string_ends_the_text_before_it(checkpoint: LoadedModel) -> None:
    for completions in run(checkpoint, asks(checkpoint, WARM, stop=("return", "\n    for"))).values():
        for one in completions:
            assert "return" not in one.text
            assert "\n    for" not in one.text
            assert one.finish == "stop"
    plain = run(checkpoint, asks(checkpoint, WARM))
    assert any("return" in one.text for completions in plain.values() for one in completions)


def test_the_token_limit_cuts_and_says_so(checkpoint: LoadedModel) -> None:
    for one in itertools.chain(*run(checkpoint, asks(checkpoint, SamplingParameters(0.8, 1.0, 5))).values()):
        assert (one.tokens, one.finish) == (5, "length")


def test_a_dropped_ask_ends_and_leaves_the_others_alone(checkpoint: LoadedModel) -> None:
    decoder, done = Decoder(checkpoint), {}
    for ask in asks(checkpoint, GREEDY, rows=2):
        decoder.add(ask)
    decoder.step()
    decoder.drop(1)
    while decoder.busy:
        done.update(decoder.step())
    assert set(done) == {0, 2, 3}
    whole = run(checkpoint, asks(checkpoint, GREEDY, rows=2))
    assert [one.text for one in done[2]] == [one.text for one in whole[2]]


def test_a_prompt_without_room_is_refused(checkpoint: LoadedModel) -> None:
    with pytest.raises(Reject, match="512"):
        checkpoint.prompt_tokens("x = 1\n" * 400)
    with pytest.raises(Reject, match="empty"):
        checkpoint.prompt_tokens("")


def test_a_completion_ends_with_the_context(checkpoint: LoadedModel) -> None:
    prompt = tuple(checkpoint.prompt_tokens("# solution\n" + "x = [1, 2]\n" * 60))[:480] + (5,) * 20
    [one] = run(checkpoint, [DecodeRequest(0, prompt, 0, 1, SamplingParameters(5.0, 1.0, 100), (), 0)])[0]
    assert one.tokens <= 12


def test_a_text_is_scored_as_a_plain_forward_pass_would(checkpoint: LoadedModel) -> None:
    text = "def add(a: int, b: int) -> int:\n    return a + b\n"
    ids = torch.tensor([checkpoint.prompt_tokens(text)])
    with torch.inference_mode():
        loss = checkpoint.model(ids, labels=ids).loss.item()
    found = Decoder(checkpoint).score(text)
    assert found.mean_log_prob == pytest.approx(-loss, abs=1e-5)
    assert found.tokens == ids.shape[1] - 1
