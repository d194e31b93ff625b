"""The lines of a training's worker: each message is read as it was written, and foreign lines are ignored."""

import pytest

from ucoder.errors import Misconfigured, Reject, Retry, UcoderError
from ucoder.trainer.training_job import TrainingResult, decode_line, encode_line
from ucoder.v1.trainer_pb2 import TrainingProgress


def test_progress_and_results_are_read_as_written() -> None:
    progress = TrainingProgress(step=3, steps=9, loss=0.5, validation_loss=0.7)
    assert decode_line(encode_line(progress)) == progress
    result = decode_line(encode_line({"steps": 9, "ended": "all 3 epochs trained", "probe_log_prob": -1.5}))
    assert isinstance(result, TrainingResult)
    assert (result.summary.steps, result.probe_log_prob) == (9, -1.5)


@pytest.mark.parametrize("error", [Retry("disk full"), Reject("no example"), Misconfigured("no PEFT")])
def test_an_error_keeps_its_class_and_text(error: UcoderError) -> None:
    read = decode_line(encode_line(error))
    assert type(read) is type(error)
    assert str(read) == str(error)


def test_an_unknown_error_may_succeed_later() -> None:
    assert type(decode_line('{"error": "Exotic", "text": "of a later version"}')) is Retry


@pytest.mark.parametrize("line", ["", "NCCL INFO", "[1, 2]", '{"event": "started"}', '{"error": "a log event"}'])
def test_other_lines_of_a_log_are_ignored(line: str) -> None:
    assert decode_line(line) is None
