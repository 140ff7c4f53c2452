"""How much each training row counts."""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray, IntArray


def balanced(labels: IntArray) -> FloatArray:
    """The weight of each row (n,), such that all classes count alike and the mean is 1: n / (classes · rows of the class).

    King & Zeng, "Logistic regression in rare events data" (Political Analysis 2001), and what scikit-learn calls "balanced".

    >>> [f"{weight:.3f}" for weight in balanced(np.array([0, 0, 0, 7]))]
    ['0.667', '0.667', '0.667', '2.000']
    """
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: FloatArray = (len(labels) / (len(counts) * counts)).astype(np.float32)[place]
    return weights
