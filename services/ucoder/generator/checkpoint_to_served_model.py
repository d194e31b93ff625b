"""Arrow checkpoint -> served_model: has the model server serve a checkpoint, and verifies the weights."""

import asyncio

from ucoder.errors import NotFound, Retry
from ucoder.generator.service import Service
from ucoder.models.checkpoint_folder import ADAPTER_CONFIG_FILE
from ucoder.models.weights_probe import PROBE_TEXT, check_log_prob
from ucoder.runtime.storage.artifacts import name_of
from ucoder.runtime.storage.weights_reference import WeightsReference
from ucoder.v1 import artifacts_pb2 as pb

POLL_SECONDS = 1.0


async def run(service: Service, checkpoint: pb.Checkpoint, run: pb.Run) -> pb.ServedModel:
    """Serves the checkpoint. Raises Retry when the server has other weights than the trainer made."""
    model = await _model_name(service, checkpoint.path)
    while service.model.exclusive and not await _may_replace_served(service, checkpoint, run):  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    with service.metrics.switch_seconds.time():
        await service.model.serve(model)
    if checkpoint.HasField("probe_log_prob"):
        check_log_prob(model, (await service.model.score(model, PROBE_TEXT)).mean_log_prob, checkpoint.probe_log_prob)
    return pb.ServedModel(checkpoint=checkpoint, model=model)


async def _model_name(service: Service, path: str) -> str:
    """Returns the checkpoint's name in requests.

    A stored checkpoint is named by its folder on this machine where the model reads folders, and where it is an
    adapter, because a server loads adapters from folders. Otherwise its path is its name.
    """
    weights, store = WeightsReference.parse(path), service.artifacts.store
    if not weights.stored:
        return path
    if not service.model.reads_folders:
        try:
            await weights.read(store, ADAPTER_CONFIG_FILE)
        except NotFound:
            return path
    return str(await weights.local_folder(store))


async def _may_replace_served(service: Service, checkpoint: pb.Checkpoint, run: pb.Run) -> bool:
    """Returns whether the weights that an exclusive server holds are no longer needed.

    Of several runs, the oldest has the server until it ends. Within a run, the weights served before must have been
    evaluated; its briefs have ended before there is a dataset to train on. Raises Retry when the run has ended.
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
