"""Split conformal intervals: by simulation they hold the truth as often as they say, for errors of any kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monitoring.accuracy.conformal import Residuals, half_width


@pytest.mark.parametrize("rows", [19, 40, 500])
@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "exponential"])
def test_the_truth_lies_inside_as_often_as_promised(rows: int, draw: str) -> None:
    rng = np.random.default_rng(rows)
    held = [np.mean(np.abs(getattr(rng, draw)(size=200)) <= half_width(getattr(rng, draw)(size=rows))) for _ in range(2000)]

    assert 0.95 - 0.005 <= np.mean(held) <= 0.95 + 1 / (rows + 1) + 0.005


def test_it_is_the_quantile_of_the_errors_and_one_infinite() -> None:
    for rows in range(19, 300):
        errors = np.random.default_rng(rows).normal(size=rows)
        assert half_width(errors) == np.quantile(np.append(np.abs(errors), np.inf), 0.95, method="inverted_cdf")


def test_few_rows_promise_nothing() -> None:
    few = Residuals.fit(np.ones(18), np.arange(-50.0, 50.0))

    assert (few.interval, few.half_width) == (None, math.inf)
    assert few.counts.sum() == 100
    again = Residuals.from_arrays(few.to_arrays())
    assert (again.half_width, again.rows, again.counts.tolist()) == (few.half_width, 18, few.counts.tolist())
