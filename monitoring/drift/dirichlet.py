"""The Dirichlet-multinomial: how likely counts are when their proportions are known only from other counts.

    DM(x; a) = Γ(A) / Γ(A + n) · Π_b Γ(a_b + x_b) / Γ(a_b),      A = Σ a_b,  n = Σ x_b

with the multinomial coefficient left out, since it cancels in every ratio. J. E. Mosimann, Biometrika 49 (1962), p. 65.

>>> row = np.array([1.0, 0.0])
>>> [round(float(p), 6) for p in np.exp(log_likelihood(row, np.array([3.0, 1.0]), np.array([0])))]     # one row, 3 of 4 before it
[0.75]
"""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray, IntArray

_SHIFT = 8


def log_likelihood(x: FloatArray, a: FloatArray, starts: IntArray) -> FloatArray:
    """log DM of every stream. `x` and `a` (…, bins) hold all streams side by side, `starts` where each begins; gives (…, streams).

    Counts need not be whole numbers: those that were divided by an overdispersion are not.
    """
    weight, rows = np.add.reduceat(a, starts, axis=-1), np.add.reduceat(x, starts, axis=-1)
    terms = np.add.reduceat(log_gamma(a + x) - log_gamma(a), starts, axis=-1)
    likelihood: FloatArray = log_gamma(weight) - log_gamma(weight + rows) + terms
    return likelihood


def log_gamma(x: FloatArray) -> FloatArray:
    """log Γ(x) for x > 0, to 12 digits: Stirling's series at x + 8 and the recurrence back (Abramowitz and Stegun 6.1.41).

    >>> np.round(log_gamma(np.array([0.5, 5.0])), 10).tolist()      # log √π, log 24
    [0.5723649429, 3.1780538303]
    """
    product = np.ones_like(x)
    for step in range(_SHIFT):
        product = product * (x + step)
    y = x + _SHIFT
    inverse = 1 / (y * y)
    series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / y
    logarithm: FloatArray = (y - 0.5) * np.log(y) - y + 0.5 * np.log(2 * np.pi) + series - np.log(product)
    return logarithm
