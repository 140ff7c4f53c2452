"""The Wilson score interval of a proportion: right also near 0 and 1 and for few rows, where p ± 2 s is not.

    centre (k + z²/2) / (n + z²),   half-width z √(k (n − k) / n + z²/4) / (n + z²)

E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), p. 209.

>>> interval = wilson(97, 100)
>>> interval.value, round(interval.lower, 4), round(interval.upper, 4)
(0.97, 0.9155, 0.9897)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Interval:
    """An estimate and the ends of its interval."""

    value: float
    lower: float
    upper: float


def wilson(hits: float, rows: float, confidence: float = 0.95) -> Interval:
    """Interval of the proportion hits / rows. Raises ValueError without rows: "no data" is not a proportion."""
    if rows <= 0:
        raise ValueError("a proportion of no rows has no interval")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (hits + z * z / 2) / (rows + z * z)
    half = z * math.sqrt(hits * (rows - hits) / rows + z * z / 4) / (rows + z * z)
    return Interval(hits / rows, max(0.0, centre - half), min(1.0, centre + half))
