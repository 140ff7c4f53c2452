"""Errors of predicted numbers against scikit-learn, and their intervals by simulation with a fixed seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from monitoring.accuracy.regression import ROWS, error_sums, errors


@given(st.integers(ROWS, 400), st.integers(0, 99), st.floats(1e-3, 1e3))
def test_errors_are_scikit_learns_however_the_rows_are_added_up(rows: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    actual = rng.normal(0, scale, rows)
    predicted = actual + rng.normal(0, scale / 3, rows)
    width = rng.random(rows) * scale
    columns = [predicted, actual, predicted - width, predicted + width]

    found = errors(sum(error_sums(*(column[part] for column in columns)) for part in np.array_split(np.arange(rows), 7)))  # type: ignore[arg-type]

    assert found is not None
    assert found.mae.value == pytest.approx(mean_absolute_error(actual, predicted))
    assert found.rmse.value == pytest.approx(root_mean_squared_error(actual, predicted))
    assert found.coverage.value == pytest.approx(np.mean(np.abs(predicted - actual) <= width))
    assert found.mae.lower <= found.mae.value <= found.mae.upper
    assert found.rmse.lower <= found.rmse.value <= found.rmse.upper
    half = scipy.stats.sem(np.abs(predicted - actual)) * scipy.stats.norm.ppf(0.975)
    assert found.mae.upper - found.mae.value == pytest.approx(half, rel=1e-6)


@pytest.mark.parametrize("rows", [50, 1000])
@pytest.mark.parametrize("draw", ["normal", "laplace", "uniform"])
def test_intervals_hold_the_truth_as_often_as_they_say(rows: int, draw: str) -> None:
    rng = np.random.default_rng(0)
    truth = {
        "normal": (math.sqrt(2 / math.pi), 1.0),
        "laplace": (1.0, math.sqrt(2)),
        "uniform": (0.5, math.sqrt(1 / 3)),
    }[draw]
    inside = []
    for _ in range(800):
        error = rng.uniform(-1, 1, rows) if draw == "uniform" else getattr(rng, draw)(0, 1, rows)
        found = errors(error_sums(error, np.zeros(rows), error - 1, error + 1))
        assert found is not None
        inside.append([one.lower <= true <= one.upper for one, true in zip((found.mae, found.rmse), truth, strict=True)])

    mae, rmse = np.mean(inside, axis=0)
    assert mae >= 0.92
    assert rmse >= (0.85 if draw == "laplace" and rows == 50 else 0.9)


def test_few_rows_are_not_enough_and_perfect_ones_have_no_error() -> None:
    nothing = np.zeros(ROWS)

    assert errors(error_sums(*[nothing[1:]] * 4)) is None
    perfect = errors(error_sums(*[nothing] * 4))
    assert perfect is not None
    assert (perfect.mae.upper, perfect.rmse.upper, perfect.coverage.value) == (0.0, 0.0, 1.0)
