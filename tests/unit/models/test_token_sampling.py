"""Tokens are sampled as temperature and top-p say, each row independently of the others."""

import numpy as np
import pytest
import torch

from ucoder.models.local.token_sampling import NUCLEUS_WIDTH, random_numbers, sample_tokens

VOCABULARY = 300


def logits(rows: int, spread: float = 3.0) -> torch.Tensor:
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(1)) * spread


def sampled(table: torch.Tensor, temperature: float, top_p: float, uniform: torch.Tensor) -> torch.Tensor:
    rows = len(table)
    return sample_tokens(table, torch.full((rows,), temperature), torch.full((rows,), top_p), uniform)[0]


def nucleus(row: torch.Tensor, temperature: float, top_p: float) -> np.ndarray:
    """Returns the distribution to sample from, computed in the slow and obvious way."""
    p = np.exp((row.double() / temperature).numpy())
    p /= p.sum()
    order = np.argsort(-p)
    kept = order[: int(np.searchsorted(np.cumsum(p[order]), top_p)) + 1]
    distribution = np.zeros_like(p)
    distribution[kept] = p[kept] / p[kept].sum()
    return distribution


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (0.8, 0.95), (1.3, 0.5)])
def test_the_frequencies_are_those_of_the_distribution(temperature: float, top_p: float) -> None:
    row, count = logits(1), 20_000
    uniform = (torch.arange(count) + 0.5) / count  # a grid: the inverse CDF must give the shares to 1/count
    tokens = sampled(row.expand(count, -1), temperature, top_p, uniform)
    shares = np.bincount(tokens.numpy(), minlength=VOCABULARY) / count
    expected = nucleus(row[0], temperature, top_p) if top_p < 1 else nucleus(row[0], temperature, 1 - 1e-12)
    assert np.abs(shares - expected).max() < 2 / count + 1e-4


def test_a_nucleus_wider_than_the_short_cut_is_sampled_as_a_whole() -> None:
    flat, count = logits(1, spread=0.1), 3000
    tokens = sampled(flat.expand(count, -1), 1.0, 0.9, (torch.arange(count) + 0.5) / count)
    assert len(set(tokens.tolist())) == int((nucleus(flat[0], 1.0, 0.9) > 0).sum()) > NUCLEUS_WIDTH


def test_temperature_0_takes_the_most_likely_token() -> None:
    table = logits(50)
    assert sampled(table, 0.0, 0.9, torch.rand(50)).tolist() == table.argmax(-1).tolist()


def test_a_row_does_not_depend_on_other_rows() -> None:
    table, uniform = logits(6), torch.linspace(0.05, 0.95, 6)
    temperature = torch.tensor([0.0, 0.5, 1.0, 0.8, 0.8, 1.2])
    top_p = torch.tensor([1.0, 1.0, 0.9, 0.5, 1.0, 0.99])
    together, log_probs = sample_tokens(table, temperature, top_p, uniform)
    for at in range(6):
        one = slice(at, at + 1)
        alone, log_prob = sample_tokens(table[one], temperature[one], top_p[one], uniform[one])
        assert (alone.item(), log_prob.item()) == (together[at].item(), pytest.approx(log_probs[at].item()))


def test_log_probabilities_are_the_models_own_whatever_the_temperature() -> None:
    table = logits(20)
    chosen, log_probs = sample_tokens(table, torch.full((20,), 0.3), torch.full((20,), 0.5), torch.rand(20))
    expected = torch.log_softmax(table, -1).gather(-1, chosen[:, None])[:, 0]
    torch.testing.assert_close(log_probs, expected)


def test_random_numbers_depend_on_seed_and_index_alone() -> None:
    def first(seed: int, index: int) -> list[float]:
        draw = random_numbers(seed, index)
        return [draw() for _ in range(5)]

    assert first(7, 3) == first(7, 3)
    streams = {tuple(first(seed, index)) for seed in (0, 1, 2, 1 << 63) for index in range(50)}
    assert len(streams) == 200
    assert all(0 <= number < 1 for stream in streams for number in stream)
