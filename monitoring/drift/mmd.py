"""The maximum mean discrepancy of the embeddings from the reference, by the means of their Fourier features.

    D² = (w̄ − μ)ᵀ S⁻¹ (w̄ − μ)

w̄ the mean of n live rows, μ and S the mean and covariance of m reference rows (`monitoring.signals.fourier`). Dividing by S makes the
distance one whose distribution is known: without drift D² / (1/n + 1/m) is Hotelling's T², and

    (m − r) / (r (m − 1)) · T² ~ F with r and m − r degrees of freedom

(H. Hotelling, "The generalization of Student's ratio", Annals of Mathematical Statistics 2 (1931), p. 360, with the covariance from
the reference alone), r the directions that are kept: those in which the waves vary most, one for forty reference rows. With all 32 and
1,000 rows, 1.3 to 1.9 % of the windows were over a limit for 1 %, with these 0.8 to 1 %: the waves are not normal, and where they hardly
vary their variance is the least known. (5,000 digits, of which reference and windows were drawn 6,000 times.)

>>> waves = np.random.default_rng(0).normal(size=(400, 3))
>>> moments = Moments.of(waves)
>>> round(moments.distance(200, waves[:200].sum(axis=0)), 4), round(moments.limit(400, 200), 4)
(0.0139, 0.1632)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray, OfArrays
from monitoring.drift.f_distribution import f_quantile
from monitoring.drift.psi import ALPHA, SMALLEST_EFFECT

#: Below this many live rows the mean of a wave is not normal enough: "not enough data".
ROWS = 50
#: Reference rows for each direction that is kept.
_ROWS_PER_DIRECTION = 40
#: A direction that varies less than this share of the one that varies most is rounding.
_NOISE = 1e-6


@dataclass(frozen=True)
class Moments(OfArrays):
    """`mean` (waves,) of the reference rows, and `whitening` (waves, r), which makes the covariance of what is kept the unit matrix."""

    mean: FloatArray
    whitening: FloatArray

    @classmethod
    def of(cls, waves: FloatArray) -> Moments:
        """Of the waves (m, waves) of the reference rows."""
        mean = waves.mean(axis=0, dtype=np.float64)
        variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(waves, rowvar=False, dtype=np.float64)))
        kept = np.flatnonzero(variances > _NOISE * variances[-1])[-max(1, len(waves) // _ROWS_PER_DIRECTION) :]
        return cls(mean, axes[:, kept] / np.sqrt(variances[kept]))

    def distance(self, rows: float, total: FloatArray) -> float:
        """D² of live `rows` whose waves add up to `total` (waves,)."""
        away = (total / rows - self.mean) @ self.whitening
        return float(away @ away)

    def limit(self, reference_rows: int, live_rows: float, alpha: float = ALPHA) -> float:
        """The D² that is exceeded with probability `alpha` without drift, or the smallest effect worth a word."""
        free = self.whitening.shape[1]
        squared = f_quantile(free, reference_rows - free, 1 - alpha) * free * (reference_rows - 1) / (reference_rows - free)
        return float(max(squared * (1 / reference_rows + 1 / live_rows), SMALLEST_EFFECT))

    def enough(self, reference_rows: int, live_rows: float) -> bool:
        """Whether the limit holds for so few rows."""
        return live_rows >= ROWS and reference_rows >= _ROWS_PER_DIRECTION and self.whitening.shape[1] > 0
