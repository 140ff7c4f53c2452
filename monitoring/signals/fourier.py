"""Random Fourier features: a few waves over the space of the embeddings, whose means tell two distributions apart.

    w_j(z) = cos(z · ω_j + β_j),   ω_j normal with deviation 1 / σ, β_j uniform in 0 to 2π

Over many waves the mean of 2 w_j(z) w_j(z') is the Gaussian kernel exp(−‖z − z'‖² / 2σ²) (A. Rahimi and B. Recht, "Random features for
large-scale kernel machines", NIPS 2007, section 3), so the distance between the means of two sets of rows is their maximum mean
discrepancy; but unlike that it needs only a sum for each wave, which workers and times add. σ is the median distance between two
training rows (A. Gretton et al., "A kernel two-sample test", JMLR 13 (2012), section 8).

>>> fourier = Fourier.fit(np.random.default_rng(0).normal(size=(50, 2)), seed=0, waves=3)
>>> fourier.waves(np.zeros((4, 2))).shape, fourier.count(np.array([[1.0, 2.0], [np.nan, 0.0]])).tolist()[0]
((4, 3), 1.0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray, OfArrays

#: Waves: enough to see a shift in any direction, few enough to estimate their covariance from 1,000 rows.
WAVES = 32
#: Rows between which the median distance is taken.
_PAIRED = 500


@dataclass(frozen=True)
class Fourier(OfArrays):
    """`frequencies` (directions, waves) and `phases` (waves,)."""

    frequencies: FloatArray
    phases: FloatArray

    @classmethod
    def fit(cls, places: FloatArray, seed: int, waves: int = WAVES) -> Fourier:
        """Waves as long as the places of training rows (n, directions) are apart."""
        random = np.random.default_rng(seed)
        drawn = places[random.permutation(len(places))[:_PAIRED]]
        frequencies = random.normal(size=(places.shape[1], waves)) / _median_distance(drawn)
        return cls(frequencies.astype(np.float32), random.uniform(0, 2 * np.pi, waves).astype(np.float32))

    def waves(self, places: FloatArray) -> FloatArray:
        """(n, waves) of places (n, directions), each from -1 to 1."""
        heights: FloatArray = np.cos(places @ self.frequencies + self.phases)
        return heights

    def count(self, places: FloatArray) -> FloatArray:
        """What adds up: how many places are numbers, and the sum of each wave over them; (1 + waves,)."""
        heights = self.waves(places)
        if not np.isfinite(heights.sum()):
            heights = heights[np.isfinite(heights).all(axis=1)]
        return np.append(float(len(heights)), heights.sum(axis=0, dtype=np.float64))


def _median_distance(places: FloatArray) -> float:
    """Between any two of the places; 1 where they are all the same."""
    pairs = [np.sqrt(((one - places[number + 1 :]) ** 2).sum(axis=1)) for number, one in enumerate(places)]
    return float(np.median(np.concatenate(pairs))) or 1.0 if len(places) > 1 else 1.0
