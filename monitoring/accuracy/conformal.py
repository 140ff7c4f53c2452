"""Split conformal prediction: an interval around a predicted value that holds the truth as often as it says, whatever the errors are like.

    value ± q,   q the ⌈(n + 1) · 0.95⌉-th smallest of n absolute errors on rows that the model was not fitted to

For rows that are drawn like those it holds the truth with a probability of at least 0.95, and at most 1 / (n + 1) more (J. Lei et al.,
"Distribution-free predictive inference for regression", JASA 113 (2018), theorem 2.2; V. Vovk et al., "Algorithmic learning in a random
world", 2005). With fewer than 19 rows nothing can be promised, and q is infinite.

>>> half_width(np.arange(1.0, 20.0)), half_width(np.arange(1.0, 19.0))
(19.0, inf)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitoring.arrays import Arrays, FloatArray, IntArray
from monitoring.signals.binning import bin_counts, quantile_edges

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Residuals:
    """What a variant's errors were like before anything was live, in the unit of the target.

    `half_width` of the interval was fitted on `rows` rows that are neither training nor reference rows; `counts` (len(edges) + 1) are the
    absolute errors of the reference rows, in bins with the inner `edges`.
    """

    half_width: float
    rows: int
    edges: FloatArray
    counts: IntArray

    @classmethod
    def fit(cls, validation: FloatArray, test: FloatArray) -> Residuals:
        """Of the errors on the validation rows (n,), and on the test rows (m,), which are the reference."""
        absolute = np.abs(np.asarray(test, dtype=np.float64))
        edges = quantile_edges(absolute)
        return cls(half_width(validation), len(validation), edges, bin_counts(absolute, edges))

    @property
    def interval(self) -> float | None:
        """The half-width, or None where so few rows promise nothing."""
        return self.half_width if math.isfinite(self.half_width) else None

    def to_arrays(self) -> Arrays:
        return {"fitted": np.array([self.half_width, self.rows]), "edges": self.edges, "counts": self.counts}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Residuals:
        width, rows = arrays["fitted"].tolist()
        return cls(width, round(rows), arrays["edges"], arrays["counts"])


def half_width(errors: FloatArray, confidence: float = CONFIDENCE) -> float:
    """Half the width of the interval, from errors (n,) with their signs or without."""
    rank = math.ceil((len(errors) + 1) * confidence - 1e-9)  # 20 · 0.95 is a little more than 19 in binary
    return float(np.partition(np.abs(errors), rank - 1)[rank - 1]) if rank <= len(errors) else math.inf
