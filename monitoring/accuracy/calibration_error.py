"""The expected calibration error: by how much confidence and accuracy differ, over labelled rows in bins of equal confidence.

    ECE = Σ_b |hits_b − Σ confidence in b| / n,   15 bins of equal width

C. Guo et al., "On calibration of modern neural networks", ICML 2017, arXiv 1706.04599, equation 3. With few rows it is far from 0 for
a perfectly calibrated model, too: then the hits of a bin are binomial, and their mean distance from n p is known exactly,

    E|X − n p| = 2 ν C(n, ν) p^ν (1 − p)^(n − ν + 1),   ν = ⌊n p⌋ + 1

(de Moivre 1730; P. Diaconis and S. Zabell, "Closed form summation for classical distributions", Statistical Science 6 (1991), p. 284).
So the value is shown beside what calibration would give for as many rows, and not at all where that alone is large.

>>> rows, hits, confidence = np.array([0.0, 1000.0]), np.array([0.0, 800.0]), np.array([0.0, 900.0])
>>> found = calibration_error(rows, hits, confidence)
>>> round(found.value, 3), round(found.expected, 3)
(0.1, 0.008)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray, IntArray

BINS = 15
#: Where a perfectly calibrated model would show more than this, it is "not enough data". By simulation with models of 70 to 99 %
#: accuracy (1,500 to 100 rows then), 95 of 100 or more that are perfectly calibrated show less than twice the expected value.
MOST_EXPECTED = 0.03
#: Nor is it shown below so many rows: of a model that is always nearly certain, hardly any error is expected.
FEWEST_ROWS = 100


@dataclass(frozen=True)
class CalibrationError:
    """The error, and what a perfectly calibrated model would show on average with the same rows."""

    value: float
    expected: float


def calibration_bins(confidence: FloatArray) -> IntArray:
    """The number of each confidence's bin, from 0 to BINS − 1; one at an edge belongs to the bin above it."""
    found: IntArray = np.clip(np.nan_to_num(confidence) * BINS, 0, BINS - 1).astype(np.int64)
    return found


def calibration_error(rows: FloatArray, hits: FloatArray, confidence: FloatArray) -> CalibrationError | None:
    """Of bins (b,): their rows, how many of those were right, and the sum of their confidences. None is "not enough data"."""
    total = float(rows.sum())
    if total < FEWEST_ROWS:
        return None
    expected = sum(_mean_distance(round(n), c / n) for n, c in zip(rows.tolist(), confidence.tolist(), strict=True) if n) / total
    return CalibrationError(float(np.abs(hits - confidence).sum() / total), expected) if expected <= MOST_EXPECTED else None


def _mean_distance(rows: int, share: float) -> float:
    """E|X − n p| of a binomial X."""
    if not 0 < share < 1:
        return 0.0
    above = math.floor(rows * share) + 1
    ways = math.lgamma(rows + 1) - math.lgamma(above + 1) - math.lgamma(rows - above + 1)
    return 2 * above * math.exp(ways + above * math.log(share) + (rows - above + 1) * math.log1p(-share))
