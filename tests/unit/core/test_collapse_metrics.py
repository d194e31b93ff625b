"""The collapse metrics: their values, and the rule that names one that falls too far."""

import pytest

from ucoder.core.collapse_metrics import (
    METRICS,
    cluster_entropy_bits,
    collapsed,
    collapses,
    dataset_metrics,
    model_metrics,
)
from ucoder.v1 import artifacts_pb2 as pb
from ucoder.v1 import config_pb2

LEAST = {"test_accuracy": 0.7, "tree_entropy": 0.5, "cluster_entropy": 0.0}


@pytest.mark.parametrize(
    ("history", "words"),
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
def test_a_metric_that_falls_too_far_is_named(history: list[dict[str, float]], words: str) -> None:
    assert collapsed(history, LEAST) == words


def test_every_metric_can_be_limited_and_has_a_source() -> None:
    assert set(METRICS) == {field.name for field in config_pb2.CollapseConfig.DESCRIPTOR.fields}
    assert set(METRICS) == {field.name for field in pb.Signs.DESCRIPTOR.fields} | {
        "test_accuracy",
        "selection_precision",
    }


def test_metrics_of_a_dataset_by_hand() -> None:
    found = dataset_metrics(
        problems=2,
        repeated=2,
        cluster_entropy=(cluster_entropy_bits([2, 2]) + cluster_entropy_bits([4])) / 2,
        programs=8,
        distinct_programs=6,
        tree_entropy=1.584963,
    )
    assert found == pytest.approx(
        {"distinct_problems": 0.5, "cluster_entropy": 0.5, "distinct_solutions": 0.75, "tree_entropy": 1.584963},
        abs=1e-6,
    )


def test_what_was_not_measured_is_absent() -> None:
    assert (
        dataset_metrics(problems=0, repeated=9, cluster_entropy=0, programs=0, distinct_programs=0, tree_entropy=None)
        == {}
    )
    assert model_metrics(claims=0, true_claims=0, selected=4, right=1) == {"selection_precision": 0.25}
    assert model_metrics(claims=4, true_claims=3, selected=0, right=0) == {"test_accuracy": 0.75}


def test_collapses_are_listed_by_iteration() -> None:
    history = [{"test_accuracy": 0.9}, {"test_accuracy": 0.1}, {"test_accuracy": 0.8}]
    assert collapses(history, LEAST) == {1: "test accuracy 0.1, less than 0.7 of its first 0.9"}
