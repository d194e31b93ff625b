"""One training over several processes: FSDP2 (`fully_shard`), one process per GPU, started by torchrun.

Weights, gradients and optimiser state are sharded; each process works on its share of every micro-batch. The first
process speaks, saves and writes; a process that is alone does what a plain training does. On CPUs gloo connects them.
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
    """The processes of one training. Made by `joined`."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def shard(self, model: Any, device: torch.device) -> None:
        """Spreads the weights over the company, layer by layer, so that one layer at a time is whole."""
        if self.size == 1:
            return
        mesh = distributed.device_mesh.init_device_mesh(device.type, (self.size,))
        plain = model.get_base_model() if hasattr(model, "get_base_model") else model  # what lies inside LoRA's
        for layer in getattr(plain.base_model, "layers", []):
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)

    def share(self, batch: Sequence[T]) -> Sequence[T]:
        """This process' part of a micro-batch; empty where there are fewer examples than processes."""
        return batch[self.rank :: self.size]

    def wait(self) -> None:
        """Returns when all processes have come here."""
        if self.size > 1:
            distributed.barrier()

    def total(self, value: float, device: torch.device) -> float:
        """The sum over all processes."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
        distributed.all_reduce(tensor)
        return float(tensor.item())

    def agreed(self, wish: bool, device: torch.device) -> bool:
        """What the first process wishes."""
        return self.total(float(wish and self.first), device) > 0

    def state(self, model: Any, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Weights and optimiser, whole, in the first process; the others have to take part."""
        if self.size == 1:
            return {"model": self.weights(model), "optimizer": optimizer.state_dict()}
        return {
            "model": self.weights(model),
            "optimizer": get_optimizer_state_dict(model, optimizer, options=_whole(model)),
        }

    def weights(self, model: Any) -> dict[str, Any]:
        """The weights that are trained, whole, in the first process; the others have to take part."""
        if self.size > 1:
            return get_model_state_dict(model, options=_whole(model))
        if not _some_frozen(model):
            return model.state_dict()  # type: ignore[no-any-return]
        return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}

    def restore(self, model: Any, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
        """Puts back what `state` gave, spread anew."""
        if self.size == 1:
            model.load_state_dict(state["model"], strict=not _some_frozen(model))
            optimizer.load_state_dict(state["optimizer"])
            return
        told = StateDictOptions(
            full_state_dict=True, broadcast_from_rank0=True, ignore_frozen_params=True, strict=not _some_frozen(model)
        )
        set_model_state_dict(model, state["model"], options=told)
        set_optimizer_state_dict(model, optimizer, state["optimizer"], options=told)

    def gather(self, model: Any, plain: Any) -> None:
        """Copies the sharded weights into `plain`, a model of the first process that is not sharded."""
        weights = self.weights(model)
        if self.first:
            plain.load_state_dict(weights, strict=not _some_frozen(plain))


def _some_frozen(model: Any) -> bool:
    return not all(weight.requires_grad for weight in model.parameters())


def _whole(model: Any) -> StateDictOptions:
    return StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=_some_frozen(model))


def whole(norm: torch.Tensor) -> torch.Tensor:
    """A norm over shards as one number."""
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


@contextlib.contextmanager
def joined() -> Iterator[ProcessGroup]:
    """The company that torchrun's variables name, or a company of one."""
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
