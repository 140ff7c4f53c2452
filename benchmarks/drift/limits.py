"""Limits by simulation: what a detector's statistic may reach, so that all have the same mean time between false alarms.

The largest statistic of a run without drift follows about a Gumbel distribution (E. J. Gumbel, Statistics of Extremes, 1958, section 5.2):

    P(max ≤ h) = exp(−exp(−(h − μ) / β))     so     mean time between alarms at h = T · exp((h − μ) / β)

with T the length of a run. μ and β are fitted by moments to the runs that there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray


@dataclass(frozen=True)
class Limit:
    """`places` and `widths` (kinds,) put all kinds on one scale, on which `height` is the limit."""

    places: FloatArray
    widths: FloatArray
    height: float

    @classmethod
    def of(cls, paths: FloatArray, ticks: float) -> Limit:
        """For false alarms `ticks` apart in the mean; `paths` (kinds, runs, ticks) of runs without drift."""
        places, widths = _gumbel(paths.max(axis=2))
        together = ((paths - places[:, None, None]) / widths[:, None, None]).max(axis=(0, 2))
        place, width = _gumbel(together[None])
        return cls(places, widths, float(place[0] + width[0] * math.log(ticks / paths.shape[2])))

    @property
    def each(self) -> FloatArray:
        """The limit of each kind (kinds,)."""
        limits: FloatArray = self.places + self.widths * self.height
        return limits

    def exceeded(self, paths: FloatArray) -> FloatArray:
        """Whether any kind is over its limit: (runs, ticks)."""
        exceeded: FloatArray = (paths >= self.each[:, None, None]).any(axis=0)
        return exceeded


def _gumbel(maxima: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Place and width for maxima (kinds, runs)."""
    widths = np.maximum(maxima.std(axis=1, ddof=1) * math.sqrt(6) / math.pi, 1e-9)
    return maxima.mean(axis=1) - np.euler_gamma * widths, widths
