"""How late labels are: the mean, and quantiles out of the histogram as Prometheus' histogram_quantile has them.

Within a bucket the values are taken to be spread evenly. What lies in the open one is said to be at the highest bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray


@dataclass(frozen=True)
class Delay:
    """Seconds from the prediction to its label."""

    mean_seconds: float
    median_seconds: float
    p90_seconds: float


def delay(bounds: tuple[float, ...], counts: FloatArray, total_seconds: float) -> Delay | None:
    """Of a histogram: `counts` (len(bounds) + 1) with the last bucket open, and the sum of its values. None without any.

    >>> delay((10.0, 20.0), np.array([0.0, 10.0, 0.0]), 150.0)
    Delay(mean_seconds=15.0, median_seconds=15.0, p90_seconds=19.0)
    """
    rows = float(counts.sum())
    if rows <= 0:
        return None
    return Delay(total_seconds / rows, quantile(bounds, counts, 0.5), quantile(bounds, counts, 0.9))


def quantile(bounds: tuple[float, ...], counts: FloatArray, share: float) -> float:
    """The value that this share of the rows lies under."""
    up_to, sought = np.cumsum(counts), share * counts.sum()
    place = int(np.searchsorted(up_to, sought))
    if place >= len(bounds):
        return float(bounds[-1])
    lowest, below = (bounds[place - 1], up_to[place - 1]) if place else (0.0, 0.0)
    return float(lowest + (bounds[place] - lowest) * (sought - below) / counts[place])
