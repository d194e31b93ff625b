"""The fit of the confidence map and the measures of its error, checked by hand."""

import numpy as np
import pytest

from ucoder.core.selection.confidence import Calibration
from ucoder_development.calibration_measures import (
    chance_level,
    coverage_at_precision,
    expected_calibration_error,
    fit_calibration,
    log_odds_shift,
    reliability,
)


def test_the_fit_finds_the_map_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(20_000), rng.normal(size=20_000)])
    truth = Calibration((-0.5, 1.5))
    right = (rng.random(20_000) < truth.probability(features)).astype(float)
    assert fit_calibration(features, right).weights == pytest.approx(truth.weights, abs=0.08)


def test_the_prior_keeps_separable_cases_from_certainty() -> None:
    features = np.column_stack([np.ones(6), np.array([-1.0, -1, -1, 1, 1, 1])])
    p = fit_calibration(features, np.array([0.0, 0, 0, 1, 1, 1])).probability(features)
    assert 0.5 < p[3] < 0.95
    assert p[0] == pytest.approx(1 - p[3])


def test_weights_are_repetitions() -> None:
    features = np.column_stack([np.ones(3), np.array([0.0, 1.0, 2.0])])
    right = np.array([0.0, 1.0, 0.0])
    repeated = fit_calibration(np.repeat(features, [1, 3, 2], axis=0), np.repeat(right, [1, 3, 2]))
    assert fit_calibration(features, right, np.array([1.0, 3.0, 2.0])).weights == pytest.approx(repeated.weights)


def test_probabilities_stay_finite_at_the_extremes() -> None:
    p = Calibration((1.0,)).probability(np.array([[1e9], [-1e9]]))
    assert p[0] > 0.999
    assert 0 < p[1] < 0.001


def test_the_shift_makes_the_mean_right() -> None:
    assert log_odds_shift(np.zeros(4), np.array([1.0, 0, 0, 0]), np.ones(4)) == pytest.approx(np.log(1 / 3))
    assert log_odds_shift(np.zeros(2), np.array([1.0, 0]), np.array([3.0, 1])) == pytest.approx(np.log(3))


def test_error_by_hand() -> None:
    confidence, right = np.array([0.9, 0.9, 0.1, 0.1]), np.array([1.0, 0.0, 0.0, 0.0])
    assert expected_calibration_error(confidence, right, 2) == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)
    assert [b.size for b in reliability(confidence, right, 10)] == [2, 2]
    assert expected_calibration_error(confidence, right, 2, equal_counts=True) == pytest.approx(0.25)


def test_certainty_belongs_to_the_last_bin() -> None:
    assert expected_calibration_error(np.array([1.0]), np.array([1.0]), 10) == 0.0


def test_few_cases_look_miscalibrated_by_chance() -> None:
    confidence = np.full(25, 0.5)
    assert chance_level(confidence, 5) == pytest.approx(0.08, abs=0.01)  # mean |binomial(25, .5)/25 - .5|
    assert chance_level(np.full(2500, 0.5), 5) < 0.01


def test_coverage_by_hand() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    assert coverage_at_precision(confidence, np.array([1.0, 1, 0, 1]), 0.75) == 1.0
    assert coverage_at_precision(confidence, np.array([1.0, 1, 0, 0]), 0.75) == 0.5
    assert coverage_at_precision(confidence, np.array([0.0, 1, 1, 1]), 0.95) == 0.0


def test_equal_confidences_cannot_be_split() -> None:
    assert coverage_at_precision(np.array([0.9, 0.9]), np.array([1.0, 0.0]), 0.95) == 0.0
