"""A sign that falls too far from its first value is named."""

import pytest

from ucoder.core.collapse_metrics import METRICS, collapsed
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

LEAST = {"test_accuracy": 0.7, "tree_entropy": 0.5, "cluster_entropy": 0.0}


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        ([{"test_accuracy": 0.9}], ""),
        ([{"test_accuracy": 0.9}, {"test_accuracy": 0.64}], ""),
        ([{"test_accuracy": 0.9}, {"test_accuracy": 0.62}], "test accuracy 0.62, less than 0.7 of its first 0.9"),
        ([{"test_accuracy": 0.9}, {"test_accuracy": 0.1}, {"test_accuracy": 0.9}], ""),
        ([{}, {"tree_entropy": 4.0}, {"tree_entropy": 1.9}], "tree entropy 1.9, less than 0.5 of its first 4"),
        ([{}, {"tree_entropy": 4.0}], ""),
        ([{"test_accuracy": 0.9, "tree_entropy": 4.0}, {}], ""),
        ([{"cluster_entropy": 2.0, "unheard_of": 1.0}, {"cluster_entropy": 0.0, "unheard_of": 0.0}], ""),
        ([{"test_accuracy": 0.0}, {"test_accuracy": 0.0}], ""),
        (
            [{"test_accuracy": 0.9, "tree_entropy": 4.0}, {"test_accuracy": 0.1, "tree_entropy": 1.0}],
            "test accuracy 0.1, less than 0.7 of its first 0.9; tree entropy 1, less than 0.5 of its first 4",
        ),
    ],
)
def test_cases(signs: list[dict[str, float]], words: str) -> None:
    assert collapsed(signs, LEAST) == words


def test_every_sign_can_be_set_and_comes_from_somewhere() -> None:
    assert set(METRICS) == {field.name for field in config_pb2.CollapseConfig.DESCRIPTOR.fields}
    assert set(METRICS) == {field.name for field in pb.Signs.DESCRIPTOR.fields} | {
        "test_accuracy",
        "selection_precision",
    }
