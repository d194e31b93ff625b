"""checkpoint -> served_model: the model server answers with these weights from now on, and proves it."""

import asyncio

from ucoder.errors import NotFound, Retry
from ucoder.generator.service import Service
from ucoder.models.checkpoint_folder import ADAPTER_CONFIG_FILE
from ucoder.models.weights_probe import PROBE_TEXT, check_log_prob
from ucoder.runtime.storage.artifacts import name_of
from ucoder.runtime.storage.weights_reference import WeightsReference
from ucoder.v1 import artifacts_pb2 as pb

LOOK_SECONDS = 1.0


async def run(service: Service, checkpoint: pb.Checkpoint, run: pb.Run) -> pb.ServedModel:
    """Serves the checkpoint. Raises Retry when what answers are not the trainer's weights."""
    name = await _name(service, checkpoint.path)
    if service.model.exclusive:
        await _turn(service, checkpoint, run)
    await service.model.serve(name)
    if checkpoint.HasField("probe_log_prob"):
        check_log_prob(name, (await service.model.score(name, PROBE_TEXT)).mean_log_prob, checkpoint.probe_log_prob)
    return pb.ServedModel(checkpoint=checkpoint, model=name)


async def _name(service: Service, path: str) -> str:
    """What requests call the checkpoint: a folder where the model reads folders, and for adapters; else its path."""
    weights, store = WeightsReference.parse(path), service.artifacts.store
    if not weights.stored:
        return path
    if not service.model.reads_folders:
        try:
            await weights.read(store, ADAPTER_CONFIG_FILE)
        except NotFound:
            return path
    return str(await weights.local_folder(store))


async def _turn(service: Service, checkpoint: pb.Checkpoint, run: pb.Run) -> None:
    """Returns when the checkpoint may take the server."""
    while True:
        if await _free(service, checkpoint, run):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _free(service: Service, checkpoint: pb.Checkpoint, run: pb.Run) -> bool:
    """Whether nobody needs the weights that an exclusive server holds now. Retry when the run has ended meanwhile.

    Of several runs the oldest has the server until it ends. Within a run, what was served before must have been
    evaluated; the briefs have ended before there is a dataset to train on.
    """
    running = {name for name, state in (await service.states.all()).items() if state.state == "running"}
    if run.id not in running:
        raise Retry(f"run {run.id} has ended.")
    others = [await service.artifacts.get(pb.Run, other, "000") for other in running - {run.id}]
    if any(_age(other) < _age(run) for other in others):
        return False
    served = set(await service.artifacts.names(run.id, "served_model")) - {name_of(checkpoint)}
    return served <= set(await service.artifacts.names(run.id, "evaluation"))


def _age(run: pb.Run) -> tuple[int, str]:
    return run.created.ToNanoseconds(), run.id
