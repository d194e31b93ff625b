"""`ucoder runs fetch`: a checkpoint out of the store, as an ordinary Hugging Face folder on this machine."""

from pathlib import Path

from rich.console import Console

from ucoder.errors import Misconfigured, NotFound
from ucoder.runtime import settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb


async def main(run: str, folder: Path, name: str | None) -> None:
    """Copies a checkpoint from `UCODER_STORE_URL` into a folder that is not there yet, whole or not at all.

    `name`: as `001` or `001-control`; None: the best one, by the gate's last decision.
    """
    if folder.exists():
        raise Misconfigured(f"{folder} is there already: name a folder that is not.")
    artifacts = Artifacts(Store(settings.load()))
    await artifacts.get(pb.Run, run, "000")  # refuses the runs of another version
    checkpoint = await (_named(artifacts, run, name) if name else _best(artifacts, run))
    if not checkpoint.path.startswith("store:"):
        raise NotFound(f"the checkpoint is run {run}'s base model, {checkpoint.path}: the store holds no copy of it.")
    with Console(stderr=True).status(f"fetching {checkpoint.path}"):
        await artifacts.store.get_folder(checkpoint.path.removeprefix("store:"), folder)
    which = f"iteration {checkpoint.iteration}" + (", control" if checkpoint.variant == pb.VARIANT_CONTROL else "")
    trained = f"trained on {checkpoint.training.examples} examples"
    Console().print(f"{folder}: {which} of run {run}, {trained}", highlight=False, soft_wrap=True)


async def _best(artifacts: Artifacts, run: str) -> pb.Checkpoint:
    decided = await artifacts.names(run, "iteration")
    if not decided:
        raise NotFound(f"run {run} has evaluated no checkpoint yet.")
    return (await artifacts.get(pb.Iteration, run, decided[-1])).served.checkpoint


async def _named(artifacts: Artifacts, run: str, name: str) -> pb.Checkpoint:
    if name not in (known := await artifacts.names(run, "checkpoint")):
        raise NotFound(f"run {run} has no checkpoint {name}; it has {', '.join(known)}.")
    return await artifacts.get(pb.Checkpoint, run, name)
