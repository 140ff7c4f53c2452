"""How unusual a row is: the share of the reference rows that are less far from their class than it.

    score(d) = #{reference distances < d} / (m + 1)

The row itself is counted among the m reference rows, which makes 1 − score a conformal p-value: of rows like those of the reference
at most one in a hundred scores 0.99 or more, whatever the distribution (S. Bates et al., "Testing for outliers with conformal
p-values", Annals of Statistics 51 (2023), p. 149, equation 2). So with fewer than 99 rows nobody can be called unusual.

>>> ranks = Ranks(np.arange(199.0))
>>> ranks.score(np.array([-1.0, 99.5, 1e9])).tolist(), ranks.levels
([0.0, 0.5, 0.995], ('typical', 'unusual'))
>>> ranks.count(np.array([0.0, 1.0, 197.5])).tolist()
[2, 1]
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitoring.arrays import FloatArray, IntArray, OfArrays

#: From which score on a row is how unusual.
LEVELS = {"typical": 0.0, "unusual": 0.99, "extreme": 0.999}
#: Reference distances that are kept; of more, as many evenly spaced ranks.
_MOST = 10_000


@dataclass(frozen=True)
class Ranks(OfArrays):
    """`distances` (m,) of the reference rows, ascending."""

    distances: FloatArray

    @classmethod
    def of(cls, distances: FloatArray) -> Ranks:
        """Of the distances of reference rows (m,), in any order. What is not a number is left out."""
        ordered = np.sort(distances[np.isfinite(distances)])
        places = np.linspace(0, len(ordered) - 1, min(len(ordered), _MOST)).round().astype(np.int64)
        return cls(ordered[places])

    @property
    def levels(self) -> tuple[str, ...]:
        """Those of `LEVELS` that a row can reach at all with so few reference rows."""
        return tuple(level for level, least in LEVELS.items() if self._scores[-1] >= least)

    def score(self, distances: FloatArray) -> FloatArray:
        """Score of each distance, (n,), 0 to 1. What is not a number is farther than everything."""
        return self._scores[np.searchsorted(self.distances, distances)]

    def score_of_one(self, distance: float) -> float:
        """The same of a single distance: beside a call of a model, a call of NumPy takes longer than Python's own search."""
        return self._scores.item(len(self.distances) if math.isnan(distance) else bisect_left(self.distances.data, distance))

    def count(self, distances: FloatArray) -> IntArray:
        """How many rows have each of the `levels`."""
        limits = [LEVELS[level] for level in self.levels[1:]]
        return np.bincount(np.searchsorted(limits, self.score(distances), side="right"), minlength=len(self.levels))

    @cached_property
    def _scores(self) -> FloatArray:
        """The score by how many distances are less: rounded down, as nobody reads sixteen digits."""
        exact = np.arange(len(self.distances) + 1) / (len(self.distances) + 1)
        scores: FloatArray = np.floor(exact * 1e6) / 1e6
        return scores
