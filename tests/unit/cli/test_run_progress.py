"""The progress of a training that `ucoder run` shows."""

from io import StringIO

from rich.console import Console

from ucoder.cli.shared.run_progress import RunProgress, training_line
from ucoder.runs.run_config import load
from ucoder.v1 import runs_pb2, trainer_pb2

MOMENT = trainer_pb2.TrainingProgress(
    dataset="001", step=12, steps=30, loss=0.4123, tokens_per_second=5300.4, seconds_left=40, memory_mb=512
)


def test_a_training_in_one_line() -> None:
    assert training_line(MOMENT) == "training 001: step 12/30, loss 0.412, 5300 tokens/s, 512 MB, 40 s left"
    measured = trainer_pb2.TrainingProgress(validation_loss=0.5)
    measured.MergeFrom(MOMENT)
    assert "loss 0.412 (validation 0.500)," in training_line(measured)
    waits = trainer_pb2.TrainingProgress(dataset="001", waiting="ImagePullBackOff no such tag")
    assert training_line(waits) == "training 001: ImagePullBackOff no such tag"


def test_a_training_is_part_of_the_line_of_the_run() -> None:
    shown = RunProgress(Console(file=StringIO()), load(None, "demo", {"loop": {"briefs": 4}}))
    status = runs_pb2.RunStatus(iteration=1, made={"consensus": 4})
    assert shown.line(status).endswith(" | training and evaluating")
    status.trainings.append(MOMENT)
    assert shown.line(status).endswith(" | " + training_line(MOMENT))
