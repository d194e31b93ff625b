"""What `ucoder run` says of a training under way."""

from io import StringIO

from rich.console import Console

from ucoder.cli.shared.run_progress import RunProgress, training
from ucoder.runs.run_config import load
from ucoder.v1 import runs_pb2, trainer_pb2

MOMENT = trainer_pb2.TrainingProgress(
    dataset="001", step=12, steps=30, loss=0.4123, tokens_per_second=5300.4, seconds_left=40, memory_mb=512
)


def test_a_training_is_told_in_a_few_words() -> None:
    assert training(MOMENT) == "training 001: step 12/30, loss 0.412, 5300 tokens/s, 512 MB, 40 s left"
    measured = trainer_pb2.TrainingProgress(validation_loss=0.5)
    measured.MergeFrom(MOMENT)
    assert "loss 0.412 (validation 0.500)," in training(measured)
    waits = trainer_pb2.TrainingProgress(dataset="001", waiting="ImagePullBackOff no such tag")
    assert training(waits) == "training 001: ImagePullBackOff no such tag"


def test_it_stands_on_the_runs_line_where_the_way_to_the_training_stood() -> None:
    shown = RunProgress(Console(file=StringIO()), load(None, "demo", {"loop": {"briefs": 4}}))
    status = runs_pb2.RunStatus(iteration=1, made={"consensus": 4})
    assert shown.line(status).endswith(" | training and evaluating")
    status.trainings.append(MOMENT)
    assert shown.line(status).endswith(" | " + training(MOMENT))
