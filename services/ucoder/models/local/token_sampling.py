"""How one token per row is drawn: temperature, top-p, inverse of the cumulative distribution at a given number."""

from collections.abc import Callable

import numpy as np
import torch

NUCLEUS = 64
"""Likeliest tokens that top-p looks at first; a wider nucleus is rare and costs a full sort."""


def random_numbers(seed: int, index: int) -> Callable[[], float]:
    """The stream of uniform numbers in [0, 1) of row `index` of a request: a function of (seed, index) alone."""
    mask = (1 << 64) - 1
    return np.random.Generator(np.random.Philox(key=[seed & mask, index & mask])).random


def draw_tokens(
    logits: torch.Tensor, temperature: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [rows] and their natural log-probabilities under the plain logits [rows].

    logits: [rows, vocabulary], float32. temperature, top_p, uniform: [rows]; temperature 0 takes the likeliest.
    No row's token depends on another row.
    """
    chosen = logits.argmax(-1)
    warm = temperature > 0
    for kind, part in ((_all_tokens, warm & (top_p >= 1)), (_nucleus, warm & (top_p < 1))):
        if part.all():
            chosen = kind(torch.softmax(logits / temperature[:, None], -1), top_p, uniform)
        elif part.any():
            probabilities = torch.softmax(logits[part] / temperature[part, None], -1)
            chosen[part] = kind(probabilities, top_p[part], uniform[part])
    log_probs = logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)
    return chosen, log_probs


def _all_tokens(probabilities: torch.Tensor, _: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    return _inverse(probabilities.cumsum(-1), uniform)


def _nucleus(probabilities: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draws from the fewest likeliest tokens that together reach `top_p` (Holtzman et al. 2020)."""
    width = min(NUCLEUS, probabilities.shape[-1])
    best, tokens = probabilities.topk(width, sorted=True)
    if width < probabilities.shape[-1] and bool((best.sum(-1) < top_p).any()):
        best, tokens = probabilities.sort(-1, descending=True)
    before = best.cumsum(-1) - best
    return tokens.gather(-1, _inverse(best.where(before < top_p[:, None], 0.0).cumsum(-1), uniform)[:, None])[:, 0]


def _inverse(cumulative: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The first entry whose cumulative mass exceeds `uniform` of the whole."""
    target = uniform[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp_(max=cumulative.shape[-1] - 1)
