"""The arrow dataset -> checkpoint: fine-tuning on the selected programs, which closes the loop."""

from ucoder.trainer.service import Service
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, dataset: pb.Dataset, run: pb.Run) -> pb.Checkpoint:
    """Returns the checkpoint that this iteration's dataset makes."""
    return await service.fine_tune(dataset, run)
