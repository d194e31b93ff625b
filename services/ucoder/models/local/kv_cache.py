"""A key-value cache whose rows come and go: the tokens of each row end at the last column, whatever its length.

So a batch holds prompts of any length side by side. One operation, `gather_rows`, drops finished rows, repeats a prompt
for its n rows, and joins new rows to running ones.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

BLOCK_COLUMNS = 64
"""Columns added when a buffer is full. Transformers' own cache copies everything at every token instead."""


class CacheLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, [rows, heads, columns, head_dim], in buffers with spare columns."""

    def __init__(self, buffers: tuple[torch.Tensor, torch.Tensor] | None = None, length: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.buffers, self.length = buffers, length
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends columns and returns all keys and values as views."""
        end = self.length + key_states.shape[-2]
        if self.buffers is None:
            self.buffers = key_states, value_states
        else:
            if end > self.buffers[0].shape[-2]:
                self.buffers = _widened(self.buffers[0], self.length, end), _widened(self.buffers[1], self.length, end)
            self.buffers[0][:, :, self.length : end] = key_states
            self.buffers[1][:, :, self.length : end] = value_states
        self.length = end
        return self.buffers[0][:, :, :end], self.buffers[1][:, :, :end]

    def get_seq_length(self) -> int:
        """Returns the number of columns in use."""
        return self.length


def empty_cache(layers: int) -> Cache:
    """Returns a cache for the first forward pass of a batch."""
    return Cache(layers=[CacheLayer() for _ in range(layers)])


def gather_rows(sources: Sequence[tuple[Cache, torch.Tensor]], length: int) -> Cache:
    """Copies the rows of each source that its index tensor names, in order, into a new cache of `length` columns.

    `length` is that of the longest row. Columns on the left that no row uses are dropped; shorter rows get zeros there.
    """
    layers: list[Any] = []
    for parts in zip(*(cache.layers for cache, _ in sources), strict=True):
        buffers = []
        for which in (0, 1):  # keys, then values
            like = parts[0].buffers[which]
            rows = sum(len(index) for _, index in sources)
            buffer = torch.empty(
                (rows, like.shape[1], length + BLOCK_COLUMNS, like.shape[3]), dtype=like.dtype, device=like.device
            )
            start = 0
            for layer, (_, index) in zip(parts, sources, strict=True):
                end, width = start + len(index), min(layer.length, length)
                buffer[start:end, :, : length - width] = 0  # these columns are masked, but NaN times 0 would be NaN
                old = layer.buffers[which][:, :, layer.length - width : layer.length]
                buffer[start:end, :, length - width : length] = old.index_select(0, index)
                start = end
            buffers.append(buffer)
        layers.append(CacheLayer((buffers[0], buffers[1]), length))
    return Cache(layers=layers)


def _widened(buffer: torch.Tensor, length: int, columns: int) -> torch.Tensor:
    """Returns a copy of the first `length` columns of a buffer with room for `columns` and one block more."""
    rows, heads, _, width = buffer.shape
    wider = torch.empty((rows, heads, columns + BLOCK_COLUMNS, width), dtype=buffer.dtype, device=buffer.device)
    wider[:, :, :length] = buffer[:, :, :length]
    return wider
