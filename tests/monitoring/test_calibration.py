"""Calibration against scipy and against classifiers whose calibration is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from monitoring.accuracy.calibration import Calibration, calibrated, fit_temperature, fit_threshold
from monitoring.accuracy.calibration_error import BINS, MOST_EXPECTED, CalibrationError, calibration_bins, calibration_error
from monitoring.arrays import FloatArray
from tests.monitoring.classifiers import World


def binned(confidence: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    bins = calibration_bins(confidence)
    rows, hits, sums = (np.bincount(bins, weights, BINS).astype(float) for weights in (None, right, confidence))
    return rows, hits, sums


@pytest.mark.parametrize("sharpness", [0.3, 0.8, 1.0, 2.5, 6.0])
def test_the_temperature_is_scipys_and_undoes_what_was_done(sharpness: float) -> None:
    rng = np.random.default_rng(0)
    world = World.make()
    points, labels = world.draw(4000, rng)
    answers = world.answer(points, sharpness)

    def loss(temperature: float) -> float:
        logs = scipy.special.log_softmax(np.log(np.maximum(answers, np.finfo(np.float32).tiny)) / temperature, axis=1)
        return float(-logs[np.arange(len(labels)), labels].mean())

    oracle = scipy.optimize.minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-7})
    found = fit_temperature(answers, labels)
    assert found == pytest.approx(oracle.x, rel=1e-5)
    assert found == pytest.approx(sharpness, rel=0.1)


def test_without_a_wrong_answer_nothing_is_known_of_the_temperature() -> None:
    assert fit_temperature(np.array([[0.6, 0.4], [0.1, 0.9]]), np.array([0, 1])) == 1.0
    assert fit_temperature(np.empty((0, 3)), np.empty(0, dtype=np.int64)) == 1.0


def test_an_impossible_answer_does_not_make_the_temperature_infinite() -> None:
    answers = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)

    assert fit_temperature(answers, np.array([0, 1, 1])) == pytest.approx(10)
    assert fit_temperature(answers[:1], np.array([1])) == pytest.approx(10)


@given(st.floats(0.2, 5), st.integers(2, 12))
def test_scaled_answers_are_scipys_and_keep_their_class(temperature: float, classes: int) -> None:
    answers = np.random.default_rng(classes).dirichlet(np.full(classes, 0.3), 50)
    scaled = scipy.special.softmax(np.log(np.maximum(answers, 1e-38)) / temperature, axis=1)

    confidence, score = calibrated(answers, temperature)

    assert confidence == pytest.approx(scaled.max(axis=1))
    assert score == pytest.approx(-scipy.stats.entropy(scaled, axis=1), abs=1e-9)
    assert confidence == pytest.approx(scaled[np.arange(50), answers.argmax(axis=1)])


def test_as_many_held_back_rows_lie_below_the_threshold_as_were_wrong() -> None:
    rng = np.random.default_rng(1)
    world = World.make()
    points, labels = world.draw(1000, rng)
    answers = world.answer(points, 2.0)
    calibration = Calibration.fit(answers, labels, np.eye(4, dtype=np.int64))
    wrong = np.count_nonzero(answers.argmax(axis=1) != labels)

    total, above = calibration.count(answers)

    assert (above, calibration.rows) == (1000 - wrong, 1000)
    assert total == pytest.approx(1000 - wrong, abs=20)


def test_a_threshold_where_scores_tie_or_nothing_was_wrong() -> None:
    assert fit_threshold(np.array([0.0, 0.0, 0.0, -1.0]), 2) == -0.5
    assert fit_threshold(np.array([-3.0, -1.0]), 0) == -3.0
    assert fit_threshold(np.array([-3.0, -1.0]), 2) == np.inf


def test_counts_add_up_whatever_the_batches() -> None:
    rng = np.random.default_rng(2)
    world = World.make()
    calibration = world.calibrate(500, rng, 2.0)
    answers = world.answer(world.draw(700, rng)[0], 2.0).astype(np.float32)

    parts = sum(calibration.count(part) for part in np.array_split(answers, 13))

    assert parts == pytest.approx(calibration.count(answers), rel=1e-5)


def test_an_answer_without_numbers_counts_as_wrong() -> None:
    calibration = Calibration(1.5, -0.5, 10, np.eye(2, dtype=np.int64))

    total, above = calibration.count(np.array([[np.nan, np.nan], [1.0, 0.0]], dtype=np.float32))

    assert (total, above) == (1.0, 1.0)


def test_a_calibration_outlives_its_file() -> None:
    calibration = Calibration(1.25, -0.5, 800, np.array([[9, 1], [0, 10]]))

    found = Calibration.from_arrays(calibration.to_arrays())

    assert (found.temperature, found.threshold, found.rows, found.accuracy) == (1.25, -0.5, 800, 0.95)
    assert found.confusion.tolist() == [[9, 1], [0, 10]]


def test_the_calibration_error_by_plain_loops() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.random(8000)
    right = rng.random(8000) < confidence**1.5

    found = calibration_error(*binned(confidence, right))

    expected = 0.0
    for low in range(BINS):
        inside = (confidence >= low / BINS) & (confidence < (low + 1) / BINS)
        expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert found is not None
    assert found.value == pytest.approx(expected)
    assert found.expected <= MOST_EXPECTED < found.value


@pytest.mark.parametrize(("rows", "share"), [(1, 0.3), (2, 0.5), (40, 0.97), (500, 0.001), (3000, 0.7), (10, 1.0), (10, 0.0)])
def test_what_calibration_alone_would_show_is_the_binomials_mean_distance(rows: int, share: float) -> None:
    many = 10_000_000.0  # of rows in another bin that is always right, so that it is never "not enough data"
    found = calibration_error(np.array([rows, many]), np.array([rows * share, many]), np.array([rows * share, many]))

    oracle = scipy.stats.binom(rows, share).expect(lambda k: abs(k - rows * share))
    assert found is not None
    assert found.value == 0
    assert found.expected * (rows + many) == pytest.approx(oracle, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("beta", "rows"), [((0.1, 9.0), 100), ((0.15, 6.0), 150), ((0.5, 4.0), 550), ((1.0, 2.0), 1700)])
def test_a_perfectly_calibrated_model_shows_what_is_expected_and_hardly_ever_twice_that(beta: tuple[float, float], rows: int) -> None:
    rng = np.random.default_rng(4)
    found: list[CalibrationError] = []
    for _ in range(300):
        confidence = 1 - 0.9 * rng.beta(*beta, rows)
        one = calibration_error(*binned(confidence, rng.random(rows) < confidence))
        if one:
            found.append(one)

    assert len(found) > 250
    assert np.mean([one.value for one in found]) == pytest.approx(np.mean([one.expected for one in found]), rel=0.08)
    assert np.mean([one.value < 2 * one.expected for one in found]) >= 0.95


def test_few_labels_are_not_enough_for_a_calibration_error() -> None:
    confidence = np.full(99, 0.999)
    assert calibration_error(*binned(confidence, np.ones(99))) is None
    assert calibration_error(*binned(np.linspace(0.2, 1, 900), np.ones(900))) is None
    assert calibration_error(*np.zeros((3, BINS))) is None


def test_every_confidence_has_a_bin() -> None:
    assert calibration_bins(np.array([0.0, 1 / 15, 0.5, 1.0, np.nan])).tolist() == [0, 1, 7, 14, 0]
