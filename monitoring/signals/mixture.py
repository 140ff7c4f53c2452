"""Mixture proportions: in which shares known populations must be mixed to give what was counted.

    maximise Σ_b x_b ln Σ_k w_k P[k, b],   w ≥ 0, Σ w = 1

by expectation maximisation, w_k ← w_k Σ_b (x_b / n) P[k, b] / Σ_j w_j P[j, b], which climbs to the one maximum there is, since the
likelihood is concave in w (M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori
probabilities", Neural Computation 14 (2002), section 2.2, for classes; R. Redner and H. Walker, SIAM Review 26 (1984), p. 199).

>>> populations = np.array([[0.9, 0.1], [0.2, 0.8]])
>>> proportions(populations, 400 * (np.array([0.25, 0.75]) @ populations)).round(3).tolist()
[0.25, 0.75]
"""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray

#: Steps at most, and how little the shares move in one when it is near enough.
_STEPS, _STILL = 500, 1e-6


def proportions(populations: FloatArray, counts: FloatArray) -> FloatArray:
    """Shares (k,) of `populations` (k, bins), each in shares of its bins or of several signals' bins side by side, for `counts` (bins,).

    A bin that no population reaches says nothing and is left out.
    """
    reached = populations.sum(axis=0) > 0
    known, seen = populations[:, reached], counts[reached] / max(1.0, counts[reached].sum())
    shares = np.full(len(known), 1 / len(known))
    for _ in range(_STEPS):
        mixed = np.maximum(shares @ known, np.finfo(np.float64).tiny)
        before, shares = shares, shares * (known @ (seen / mixed))
        shares /= max(shares.sum(), np.finfo(np.float64).tiny)
        if np.abs(shares - before).max() < _STILL:
            break
    return shares
