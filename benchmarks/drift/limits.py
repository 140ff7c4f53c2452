"""Limits by simulation: what a detector's statistic may reach, so that all have as many false alarms in the time that is looked at.

What is held equal is the probability of a false alarm within that time, counted over runs without drift. The mean time between false
alarms would not do: it says nothing of when they come. Detectors that first learn the reference or the traffic itself alarm falsely at
quite different ages, so with the same mean time the one that is in its most nervous time when the shift comes would look best. Y. Mei,
"Is average run length to false alarm always an informative criterion?", Sequential Analysis 27 (2008), pp. 354 to 376, has the argument
for pre-change models that are mixtures, as with a reference that is a sample; G. Sokolov, V. Spivak and A. Tartakovsky, "Detecting an
intermittent change of unknown duration", arXiv 2210.17342, the criterion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray


@dataclass(frozen=True)
class Limit:
    """`places` and `widths` (kinds,) put all kinds on one scale, on which `height` is the limit."""

    places: FloatArray
    widths: FloatArray
    height: float

    @classmethod
    def of(cls, paths: FloatArray, share: float) -> Limit:
        """With which so many of the runs have a false alarm; `paths` (kinds, runs, ticks) of runs without drift."""
        places, widths = _gumbel(paths.max(axis=2))
        together = ((paths - places[:, None, None]) / widths[:, None, None]).max(axis=(0, 2))
        return cls(places, widths, float(np.quantile(together, 1 - share)))

    @property
    def each(self) -> FloatArray:
        """The limit of each kind (kinds,)."""
        limits: FloatArray = self.places + self.widths * self.height
        return limits

    def exceeded(self, paths: FloatArray) -> NDArray[np.bool_]:
        """Whether any kind is over its limit: (runs, ticks)."""
        exceeded: NDArray[np.bool_] = np.any(paths >= self.each[:, None, None], axis=0)
        return exceeded


def _gumbel(maxima: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Place and width by moments for maxima (kinds, runs), which follow about a Gumbel distribution (E. J. Gumbel, Statistics of Extremes,
    1958, section 5.2).
    """
    widths = np.maximum(maxima.std(axis=1, ddof=1) * math.sqrt(6) / math.pi, 1e-9)
    return maxima.mean(axis=1) - np.euler_gamma * widths, widths
