"""How far off predicted numbers are: mean absolute error, root mean squared error, and how often an interval holds the truth.

    MAE = Σ|e| / n,   RMSE = √(Σe² / n),   coverage = rows inside / n,   e = predicted − actual

All of it comes out of five sums, which add up over windows, workers and machines. |e| and e² are means of independent rows, so their
standard errors are those of means, from Σe² and Σe⁴; the ends for RMSE are the roots of those for the mean of e². By simulation these
intervals hold the truth as often as they say from about 50 rows on for errors like Gaussian ones; the fourth power makes that of RMSE
too narrow where few large errors decide, and below `ROWS` there is none.

>>> sums = error_sums(np.array([1.0, 4.0]), np.array([2.0, 2.0]), np.array([0.0, 3.0]), np.array([2.0, 5.0]))
>>> sums.tolist()
[2.0, 3.0, 5.0, 17.0, 1.0]
>>> found = errors(np.array([100.0, 50.0, 50.0, 80.0, 90.0]))
>>> found.mae.value, round(found.rmse.value, 3), found.coverage and found.coverage.value
(0.5, 0.707, 0.9)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from monitoring.accuracy.wilson import Interval, wilson
from monitoring.arrays import FloatArray, IntArray

#: Below so many rows: "not enough data".
ROWS = 50


@dataclass(frozen=True)
class Errors:
    """In the unit of the target; `coverage` is a share of the rows, with its Wilson interval; None if no intervals were predicted."""

    mae: Interval
    rmse: Interval
    coverage: Interval | None


def error_sums(predicted: FloatArray, actual: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """What labelled rows (n,) add: their number, Σ|e|, Σe², Σe⁴, and how many truths lie in the predicted interval, its ends included."""
    total: FloatArray = row_sums(predicted, actual, lower, upper).sum(axis=0)
    return total


def row_sums(
    predicted: FloatArray | IntArray, actual: FloatArray | IntArray, lower: FloatArray, upper: FloatArray, most: float = math.inf
) -> FloatArray:
    """What each row adds, (n, 5). An error counts as at most `most`: sums that only grow would forget all small ones beside an absurd one.

    >>> row_sums(np.array([1.0, 9e99]), np.array([2.0, 0.0]), np.array([0.0, 0.0]), np.array([2.0, 0.0]), most=100.0).tolist()
    [[1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 100.0, 10000.0, 100000000.0, 1.0]]
    """
    error = np.minimum(np.abs(np.asarray(predicted, dtype=np.float64) - actual), most)
    inside = (lower <= actual) & (actual <= upper)
    return np.stack([np.ones(len(error)), error, error**2, error**4, inside.astype(np.float64)], axis=1)


def errors(sums: FloatArray, confidence: float = 0.95, fewest: int = ROWS) -> Errors | None:
    """The errors of the rows that were added up, or None if there are fewer than `fewest`."""
    rows, absolute, squared, fourth, inside = sums.tolist()
    if rows < fewest:
        return None
    square = _mean(squared, fourth, rows, confidence)
    rmse = Interval(math.sqrt(square.value), math.sqrt(square.lower), math.sqrt(square.upper))
    return Errors(_mean(absolute, squared, rows, confidence), rmse, wilson(inside, rows, confidence))


def _mean(total: float, of_squares: float, rows: float, confidence: float) -> Interval:
    """The mean of values that are never negative, from their sum and that of their squares."""
    mean = total / rows
    error = math.sqrt(max(of_squares / rows - mean**2, 0.0) / (rows - 1))
    half = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Interval(mean, max(0.0, mean - half), mean + half)
