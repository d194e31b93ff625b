"""The key-value cache of rows that come and go: each row's tokens end at the last column, whatever its length.

So a batch holds prompts of any length side by side, and one operation, `gathered`, drops finished rows, repeats a
prompt for its n rows, and joins new rows to running ones.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

BLOCK = 64
"""Columns added when a buffer is full: transformers' own cache copies everything at every token instead."""


class Layer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, [rows, heads, columns, head_dim], written in place into a buffer with room."""

    def __init__(self, buffers: tuple[torch.Tensor, torch.Tensor] | None = None, length: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.buffers, self.length = buffers, length
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends columns and returns everything there is, as views."""
        end = self.length + key_states.shape[-2]
        if self.buffers is None:
            self.buffers = key_states, value_states
        else:
            if end > self.buffers[0].shape[-2]:
                wider = [torch.empty(_widened(buffer.shape, end + BLOCK), dtype=buffer.dtype, device=buffer.device)
                         for buffer in self.buffers]  # fmt: skip
                for buffer, old in zip(wider, self.buffers, strict=True):
                    buffer[:, :, : self.length] = old[:, :, : self.length]
                self.buffers = wider[0], wider[1]
            self.buffers[0][:, :, self.length : end] = key_states
            self.buffers[1][:, :, self.length : end] = value_states
        self.length = end
        return self.buffers[0][:, :, :end], self.buffers[1][:, :, :end]

    def get_seq_length(self) -> int:
        """Columns in use."""
        return self.length


def empty(layers: int) -> Cache:
    """A cache for a first forward pass."""
    return Cache(layers=[Layer() for _ in range(layers)])


def gathered(sources: Sequence[tuple[Cache, torch.Tensor]], length: int) -> Cache:
    """The rows of each source named by its index tensor, in order, in a cache of `length` columns.

    `length` is the longest of the rows; columns to the left that no row uses fall away, shorter rows get zeros there.
    """
    layers: list[Any] = []
    for parts in zip(*(cache.layers for cache, _ in sources), strict=True):
        made = []
        for which in (0, 1):
            like = parts[0].buffers[which]
            rows = sum(len(index) for _, index in sources)
            new = torch.empty(
                (rows, like.shape[1], length + BLOCK, like.shape[3]), dtype=like.dtype, device=like.device
            )
            at = 0
            for layer, (_, index) in zip(parts, sources, strict=True):
                width = min(layer.length, length)
                new[at : at + len(index), :, : length - width] = 0  # masked, and a NaN times 0 would be a NaN
                old = layer.buffers[which][:, :, layer.length - width : layer.length]
                new[at : at + len(index), :, length - width : length] = old.index_select(0, index)
                at += len(index)
            made.append(new)
        layers.append(Layer((made[0], made[1]), length))
    return Cache(layers=layers)


def _widened(shape: torch.Size, columns: int) -> tuple[int, int, int, int]:
    return shape[0], shape[1], columns, shape[3]
