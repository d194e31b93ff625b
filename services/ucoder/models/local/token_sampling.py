"""Samples one token per row with temperature and top-p, by inverting the cumulative distribution at a random number."""

from collections.abc import Callable

import numpy as np
import torch

NUCLEUS_WIDTH = 64
"""Number of most likely tokens that top-p looks at first; a wider nucleus is rare and needs a full sort."""


def random_numbers(seed: int, index: int) -> Callable[[], float]:
    """Returns the stream of uniform numbers in [0, 1) of row `index` of a request; (seed, index) alone decide it."""
    mask = (1 << 64) - 1
    return np.random.Generator(np.random.Philox(key=[seed & mask, index & mask])).random


def sample_tokens(
    logits: torch.Tensor, temperature: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns token ids [rows] and their natural log-probabilities under the unchanged logits [rows].

    logits: [rows, vocabulary], float32. temperature, top_p, uniform: [rows]; temperature 0 takes the most likely token.
    The token of a row does not depend on other rows.
    """
    tokens = logits.argmax(-1)
    random = temperature > 0
    for sample, part in ((_sample_from_all, random & (top_p >= 1)), (_sample_from_nucleus, random & (top_p < 1))):
        if part.all():
            tokens = sample(torch.softmax(logits / temperature[:, None], -1), top_p, uniform)
        elif part.any():
            probabilities = torch.softmax(logits[part] / temperature[part, None], -1)
            tokens[part] = sample(probabilities, top_p[part], uniform[part])
    log_probs = logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1)
    return tokens, log_probs


def _sample_from_all(probabilities: torch.Tensor, _: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    return _invert(probabilities.cumsum(-1), uniform)


def _sample_from_nucleus(probabilities: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draws from the fewest most likely tokens that together reach `top_p` (Holtzman et al. 2020)."""
    width = min(NUCLEUS_WIDTH, probabilities.shape[-1])
    best, tokens = probabilities.topk(width, sorted=True)
    if width < probabilities.shape[-1] and bool((best.sum(-1) < top_p).any()):
        best, tokens = probabilities.sort(-1, descending=True)
    before = best.cumsum(-1) - best
    return tokens.gather(-1, _invert(best.where(before < top_p[:, None], 0.0).cumsum(-1), uniform)[:, None])[:, 0]


def _invert(cumulative: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Returns the first index in each row whose cumulative probability exceeds `uniform` times the row's total."""
    target = uniform[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp_(max=cumulative.shape[-1] - 1)
