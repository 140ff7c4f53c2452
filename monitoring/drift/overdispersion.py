"""Overdispersion: how much more the counts of neighbouring chunks differ than those of independent rows would.

Traffic comes in bursts: one client sends the same thing five hundred times, and five hundred rows say no more than one. Two chunks of
n and n' rows with the counts x and x' in the same bins give Pearson's statistic of homogeneity

    X² = (N − 1) / N · Σ_b (x_b n' − x'_b n)² / (n n' (x_b + x'_b)),      N = n + n'

which has the mean B − 1 (B bins that are not empty) for exchangeable rows, exactly and for any n: the factor is that of the
permutation distribution (P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed. 1989, section 6.5 on X² / (B − 1) as the
estimate of dispersion). Neighbours are compared, not chunk and reference, so that a lasting change adds to it only once.

>>> unlike, freedom = dissimilarity(np.array([10.0, 10.0]), np.array([20.0, 0.0]), np.array([0]))
>>> round(float(unlike[0]), 3), float(freedom[0])
(13.0, 1.0)
"""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray, IntArray


def dissimilarity(x: FloatArray, other: FloatArray, starts: IntArray) -> tuple[FloatArray, FloatArray]:
    """X² and its degrees of freedom of every stream, shapes (…, streams); both 0 where a chunk is empty.

    `x` and `other` (…, bins) hold the counts of all streams side by side, `starts` where each begins.
    """
    widths = np.diff(np.append(starts, x.shape[-1]))
    both = x + other
    rows, others = (np.add.reduceat(counts, starts, axis=-1) for counts in (x, other))
    n, m = np.repeat(rows, widths, axis=-1), np.repeat(others, widths, axis=-1)
    squares = np.divide((x * m - other * n) ** 2, both, out=np.zeros_like(both), where=both > 0)
    together, weight = rows + others, rows * others
    factor = np.divide(together - 1, together * weight, out=np.zeros_like(weight), where=weight > 0)
    freedom = np.maximum(np.add.reduceat(both > 0, starts, axis=-1, dtype=np.float64) - 1, 0)
    return np.add.reduceat(squares, starts, axis=-1) * factor, np.where(weight > 0, freedom, 0.0)
