"""Bins: a signal becomes counts, which add up over rows, workers and machines.

The edges are frozen with the reference and never look at live data: only then do counts from different places and times compare.
"""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray, IntArray

BINS = 10
#: How far from a constant a value still is that constant: sums round otherwise in a batch of another size.
_MARGIN = 1e-6


def quantile_edges(values: FloatArray, bins: int = BINS) -> FloatArray:
    """Inner edges of about equally full bins; fewer where values tie. A constant gets three bins: below, the constant, above.

    >>> quantile_edges(np.arange(8.0), bins=4).tolist()
    [2.0, 4.0, 6.0]
    >>> quantile_edges(np.ones(5)).tolist()
    [0.999999, 1.000001]
    """
    values = np.asarray(values, dtype=np.float64)
    edges: FloatArray = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="higher"))
    edges = edges[edges > values.min()]
    if len(edges):
        return edges
    lowest = values.min()
    if values.max() > lowest:
        return np.array([np.nextafter(lowest, np.inf)])
    margin = _MARGIN * max(1.0, abs(lowest))
    return np.array([lowest - margin, lowest + margin])


def class_edges(classes: int) -> FloatArray:
    """One bin per class number."""
    edges: FloatArray = np.arange(1, classes) - 0.5
    return edges


def bin_counts(values: FloatArray, edges: FloatArray) -> IntArray:
    """How many values lie in each of the len(edges) + 1 bins; a value at an edge belongs to the bin above it.

    >>> bin_counts(np.array([-1.0, 0.0, 0.5, 9.0]), np.array([0.0, 1.0])).tolist()
    [1, 2, 1]
    """
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
