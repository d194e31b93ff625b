"""checkpoint -> served_model: the model server answers with these weights from now on, and proves it."""

from ucoder.generator.service import Service
from ucoder.models.probe import PROBE, TOLERANCE
from ucoder.runtime.errors import Retry
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, checkpoint: pb.Checkpoint, run: pb.Run) -> pb.ServedModel:
    """Serves the checkpoint. Raises Retry when what answers are not the trainer's weights."""
    name = checkpoint.path
    if name.startswith("store:"):
        name = str(await service.artifacts.store.folder(name.removeprefix("store:")))
    await service.model.serve(name)
    if checkpoint.HasField("probe_log_prob"):
        scored = await service.model.score(name, PROBE)
        if abs(scored.mean_log_prob - checkpoint.probe_log_prob) > TOLERANCE:
            raise Retry(
                f"{name} is not what answers: its probe text scores {scored.mean_log_prob:.3f}, "
                f"the trainer measured {checkpoint.probe_log_prob:.3f}."
            )
    return pb.ServedModel(checkpoint=checkpoint, model=name)
