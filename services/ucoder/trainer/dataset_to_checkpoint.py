"""dataset -> checkpoint: fine-tuning; the loop closes."""

from ucoder.trainer.service import Service
from ucoder.v1 import artifacts_pb2 as pb


async def run(service: Service, dataset: pb.Dataset, run: pb.Run) -> pb.Checkpoint:
    """The checkpoint that this iteration's dataset makes."""
    return await service.fine_tune(dataset, run)
