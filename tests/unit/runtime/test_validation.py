"""Tests that each validation rule refuses bad fields by name and accepts good messages."""

import pytest

from ucoder.errors import Reject
from ucoder.runs.run_config import load
from ucoder.runtime.validation import validate
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2, consensus_pb2, runs_pb2, sandbox_pb2

REF = {"kind": "problem", "run": "run", "name": "001-000001", "sha256": "0" * 64}


def test_a_good_message_passes() -> None:
    validate(pb.Ref(**REF))
    validate(runs_pb2.CreateRunRequest(config=load()))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (pb.Ref(**{**REF, "kind": ""}), "kind: required, and missing."),
        (pb.Ref(**{**REF, "run": "../../etc"}), "run: '../../etc' does not match"),
        (pb.Ref(**{**REF, "name": "a/b"}), "name: 'a/b' does not match"),
        (pb.Ref(**{**REF, "sha256": "abc"}), "sha256: 'abc' does not match"),
        (runs_pb2.CreateRunRequest(), "config: required, and missing."),
        (config_pb2.Sampling(temperature=-1, top_p=1, max_tokens=1), "temperature: -1 is less than 0."),
        (config_pb2.Sampling(temperature=float("nan"), top_p=1, max_tokens=1), "temperature: not a number."),
        (config_pb2.Sampling(temperature=1, top_p=2, max_tokens=1), "top_p: 2 is more than 1."),
        (sandbox_pb2.ExecuteRequest(tests=[pb.TestCase()]), "programs: required, and missing."),
        (
            sandbox_pb2.ExecuteRequest(programs=["x"], tests=[pb.TestCase(count=2_000_000)]),
            "tests[0].count: 2e+06 is more than 1e+06.",
        ),
        (consensus_pb2.SelectRequest(programs=["x"] * 10_001), "programs: 10001 is longer than 10000."),
        (consensus_pb2.SelectRequest(programs=["x"], mean_log_probs=[float("nan")]), "mean_log_probs: not a number."),
    ],
)
def test_a_bad_field_is_named(message, words: str) -> None:
    with pytest.raises(Reject) as caught:
        validate(message)
    assert words in str(caught.value)
