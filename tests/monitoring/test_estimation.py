"""Accuracy without labels on made classifiers whose accuracy is known, with fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest

from monitoring.accuracy.calibration import Calibration
from monitoring.accuracy.estimation import ROWS, Estimate, estimate, label_shift
from monitoring.arrays import FloatArray, IntArray
from tests.monitoring.classifiers import World

#: How much too sure the classifiers are before they are calibrated.
_SHARPNESS = 2.0


def judge(world: World, calibration: Calibration, points: FloatArray) -> Estimate:
    answers = world.answer(points, _SHARPNESS)
    found = estimate(calibration, np.bincount(answers.argmax(axis=1), minlength=4).astype(float), calibration.count(answers))
    assert found is not None
    return found


def accuracy(world: World, points: FloatArray, labels: IntArray) -> float:
    return float(np.mean(world.answer(points).argmax(axis=1) == labels))


@pytest.mark.parametrize("distance", [1.5, 3.0, 5.0])
@pytest.mark.parametrize(("held_back", "rows"), [(100, 100), (800, 50), (2000, 1000)])
def test_without_a_shift_every_standard_error_and_the_interval_cover_the_accuracy(distance: float, held_back: int, rows: int) -> None:
    rng = np.random.default_rng(0)
    world = World.make(distance)
    covered, inside = [], []
    for _ in range(60):
        calibration = world.calibrate(held_back, rng, _SHARPNESS)
        points, labels = world.draw(rows, rng)
        found, truth = judge(world, calibration, points), accuracy(world, points, labels)
        covered.append([abs(method.value - truth) <= 2 * method.error + 1e-9 for method in found.methods.values()])
        inside.append(found.lower <= truth <= found.upper)

    assert np.mean(covered, axis=0).min() >= 0.9
    assert np.mean(inside) >= 0.95


def test_a_harder_or_easier_mix_of_inputs_is_seen_as_long_as_confidence_stays_calibrated() -> None:
    rng = np.random.default_rng(1)
    world = World.make()
    calibration = world.calibrate(3000, rng, _SHARPNESS)
    errors, naive = [], []
    for _ in range(20):
        points = 0.5 * world.draw(2000, rng)[0]  # nearer to each other; the answers of Bayes stay what they say
        chances = world.answer(points)
        labels = (chances.cumsum(axis=1) < rng.random((len(points), 1))).sum(axis=1)
        found, truth = judge(world, calibration, points), accuracy(world, points, labels)
        assert found.lower <= truth <= found.upper
        errors.append(abs(found.methods["confidence"].value - truth))
        naive.append(abs(calibration.accuracy - truth))

    assert np.mean(errors) < 0.02
    assert np.mean(naive) > 0.1


@pytest.mark.parametrize("shares", [(0.45, 0.45, 0.05, 0.05), (0.02, 0.02, 0.48, 0.48), (0.7, 0.1, 0.1, 0.1), (0.0, 0.4, 0.3, 0.3)])
def test_under_label_shift_the_shares_of_the_classes_give_the_accuracy_and_the_reference_does_not(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(2)
    world = World.make(1.5)
    covered, errors, naive = [], [], []
    for _ in range(30):
        calibration = world.calibrate(2000, rng, _SHARPNESS)
        points, labels = world.draw(2000, rng, np.array(shares))
        method, truth = judge(world, calibration, points).methods["label_shift"], accuracy(world, points, labels)
        covered.append(abs(method.value - truth) <= 2 * method.error)
        errors.append(method.value - truth)
        naive.append(calibration.accuracy - truth)

    assert np.mean(covered) >= 0.9
    assert abs(np.mean(errors)) < 0.012
    assert abs(np.mean(naive)) > 0.02


def test_a_change_of_concept_is_seen_by_none_of_them() -> None:
    """Equal inputs have other labels than before: the answers do not change, so nothing that reads only answers can know."""
    rng = np.random.default_rng(3)
    world = World.make(3.0)
    calibration = world.calibrate(2000, rng, _SHARPNESS)
    points, labels = world.draw(2000, rng)
    swapped = np.array([0, 1, 3, 2])[labels]

    found = judge(world, calibration, points)

    assert accuracy(world, points, swapped) < 0.55
    assert found.lower > 0.9


def test_few_rows_are_not_enough() -> None:
    calibration = World.make().calibrate(500, np.random.default_rng(4))
    predicted = np.array([ROWS - 1, 0.0, 0.0, 0.0])

    assert estimate(calibration, predicted, np.array([40.0, 40.0])) is None
    assert estimate(calibration, predicted + np.array([1, 0, 0, 0]), np.array([40.0, 40.0])) is not None


@pytest.mark.parametrize("confusion", [[[5, 5], [5, 5]], [[10, 0], [0, 0]], [[55, 45], [46, 54]]])
def test_where_the_reference_hardly_tells_classes_apart_label_shift_says_nothing(confusion: list[list[int]]) -> None:
    calibration = Calibration(1.0, -0.5, 100, np.array(confusion))
    found = estimate(calibration, np.array([60.0, 40.0]), np.array([55.0, 60.0]))

    assert label_shift(calibration, np.array([60.0, 40.0])) is None
    assert found is not None
    assert list(found.methods) == ["confidence", "threshold"]
    assert found.value == pytest.approx(0.575)


def test_a_reference_without_mistakes_is_no_certainty() -> None:
    calibration = Calibration(1.0, -0.5, 100, 50 * np.eye(2, dtype=np.int64))
    found = estimate(calibration, np.array([50.0, 50.0]), np.array([100.0, 100.0]))

    assert found is not None
    assert (found.value, found.upper) == (1.0, 1.0)
    assert 0.8 < found.lower < 0.97


def test_shares_of_classes_are_never_negative() -> None:
    calibration = Calibration(1.0, -0.5, 100, np.array([[80, 20], [20, 80]]))

    found = label_shift(calibration, np.array([100.0, 0.0]))

    assert found is not None
    assert found.value == pytest.approx(0.8)
