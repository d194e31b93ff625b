"""The process group of one training: FSDP2 (`fully_shard`), one process per GPU, started by torchrun.

Weights, gradients and optimiser state are sharded. Each process works on its share of every micro-batch. The first
process reports progress and writes all files. A group of one process trains as without torch.distributed. On CPUs gloo
connects the processes.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

T = TypeVar("T")


class ProcessGroup:
    """The processes that train one model together. `joined_process_group` makes it."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    @property
    def is_first(self) -> bool:
        """True in the process that reports and writes for all."""
        return self.rank == 0

    def shard(self, model: Any, device: torch.device) -> None:
        """Distributes the weights over the processes, layer by layer: only one layer at a time is whole."""
        if self.size == 1:
            return
        mesh = distributed.device_mesh.init_device_mesh(device.type, (self.size,))
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # the model inside LoRA's
        for layer in getattr(inner.base_model, "layers", []):
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)

    def share(self, batch: Sequence[T]) -> Sequence[T]:
        """Returns this process's part of a micro-batch; it is empty if there are fewer examples than processes."""
        return batch[self.rank :: self.size]

    def barrier(self) -> None:
        """Waits until every process has called this."""
        if self.size > 1:
            distributed.barrier()

    def sum(self, value: float, device: torch.device) -> float:
        """Returns the sum of `value` over all processes."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
        distributed.all_reduce(tensor)
        return float(tensor.item())

    def first_decides(self, decision: bool, device: torch.device) -> bool:
        """Returns the first process's decision in every process."""
        return self.sum(float(decision and self.is_first), device) > 0

    def full_state(self, model: Any, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Returns the unsharded weights and optimiser state, in the first process; every process must call this."""
        if self.size == 1:
            optimizer_state = optimizer.state_dict()
        else:
            optimizer_state = get_optimizer_state_dict(model, optimizer, options=_full_state_options(model))
        return {"model": self.full_weights(model), "optimizer": optimizer_state}

    def full_weights(self, model: Any) -> dict[str, Any]:
        """Returns the unsharded weights that are trained, in the first process; every process must call this."""
        if self.size > 1:
            return get_model_state_dict(model, options=_full_state_options(model))
        if not _has_frozen_weights(model):
            return model.state_dict()  # type: ignore[no-any-return]
        return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}

    def restore(self, model: Any, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Loads what `full_state` returned, sharded over the processes of this group."""
        strict = not _has_frozen_weights(model)
        if self.size == 1:
            model.load_state_dict(state["model"], strict=strict)
            optimizer.load_state_dict(state["optimizer"])
            return
        options = StateDictOptions(
            full_state_dict=True, broadcast_from_rank0=True, ignore_frozen_params=True, strict=strict
        )
        set_model_state_dict(model, state["model"], options=options)
        set_optimizer_state_dict(model, optimizer, state["optimizer"], options=options)

    def copy_weights(self, sharded: Any, whole: Any) -> None:
        """Copies the weights of a sharded model into an unsharded one of the first process; every process calls it."""
        weights = self.full_weights(sharded)
        if self.is_first:
            whole.load_state_dict(weights, strict=not _has_frozen_weights(whole))


def _has_frozen_weights(model: Any) -> bool:
    return not all(weight.requires_grad for weight in model.parameters())


def _full_state_options(model: Any) -> StateDictOptions:
    return StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=_has_frozen_weights(model))


def unsharded_norm(norm: torch.Tensor) -> torch.Tensor:
    """Returns a gradient norm, which sharded weights give as a sharded tensor, as a plain tensor."""
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


@contextlib.contextmanager
def joined_process_group() -> Iterator[ProcessGroup]:
    """Yields the group that torchrun's environment variables describe; without them a group of this process alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup(0, 1)
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()
