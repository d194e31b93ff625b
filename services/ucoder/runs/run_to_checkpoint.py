"""The arrow run -> checkpoint: makes the base model the run's checkpoint 0."""

from importlib import resources
from pathlib import Path

from ucoder.errors import Misconfigured
from ucoder.runs.service import Service
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, source: pb.Run, run: pb.Run) -> pb.Checkpoint:
    """Returns checkpoint 0."""
    return pb.Checkpoint(run=run.id, iteration=0, variant=pb.VARIANT_LOOP, path=base_path(run.config.model.base))


def base_path(base: str) -> str:
    """Returns where the base model is: the shipped model for `seed`, a Hugging Face folder, or a model server's name.

    Raises Misconfigured when `base` looks like a folder that holds no model.
    """
    if base == "seed":
        return str(resources.files("ucoder.seed") / "model")
    path = Path(base).expanduser()
    if path.is_absolute() or base.startswith((".", "~")) or path.exists():
        if not (path / "config.json").is_file():
            raise Misconfigured(f"model.base: {base} is not a Hugging Face model folder: it has no config.json.")
        return str(path.resolve())
    return base
