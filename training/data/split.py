"""Stratified splits: every part has the same share of each class, to the row where rounding allows.

Values have no classes; they are parted by ten quantiles, so that no part gets only the high ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import IntArray

#: Strata of values, as bins of equally many rows.
_QUANTILES = 10


def strata(y: NDArray[Any]) -> IntArray:
    """What to stratify by (n,): class numbers as they are, values by the tenth of the rows in which they lie.

    >>> strata(np.array([2, 0])).tolist(), strata(np.array([0.5, 9.0, 7.0, 7.0])).tolist()
    ([2, 0], [0, 3, 1, 1])
    """
    if y.dtype.kind in "iu":
        return y.astype(np.int64, copy=False)
    edges = np.quantile(y, np.arange(1, _QUANTILES) / _QUANTILES, method="higher")
    numbers: IntArray = np.searchsorted(np.unique(edges), y, side="left").astype(np.int64)
    return numbers


def stratified(labels: IntArray, rows: int, seed: int) -> tuple[IntArray, IntArray]:
    """Draw `rows` of the rows without replacement, as many of each class as its share says; the others are the rest.

    `labels` (n,) class numbers. Returns (rest, drawn): indices into `labels`, both shuffled. The rows that rounding leaves over go
    to the classes with the largest remainders (Hamilton's method), so that exactly `rows` are drawn; and a class of two rows or more
    has at least one drawn where there are as many rows as classes. Raises ValueError if there are fewer than `rows`.

    >>> rest, drawn = stratified(np.array([0, 0, 0, 0, 1, 1]), 3, seed=0)
    >>> sorted(np.array([0, 0, 0, 0, 1, 1])[drawn].tolist()), len(rest)
    ([0, 0, 1], 3)
    """
    if not 0 <= rows <= len(labels):
        raise ValueError(f"{rows} rows cannot be drawn from {len(labels)}")
    random = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    quotas = _one_each(_apportion(counts, rows), counts)
    order = random.permutation(len(labels))
    drawn = [order[labels[order] == label][:quota] for label, quota in zip(classes, quotas, strict=True)]
    chosen = random.permutation(np.concatenate([np.empty(0, np.int64), *drawn]))
    rest: IntArray = order[~np.isin(order, chosen)]
    return rest, chosen


def fold_numbers(labels: IntArray, folds: int, seed: int) -> IntArray:
    """The fold of each row (n,), from 0: each class is shuffled and dealt to the folds, and the next class goes on where it ended.

    So the folds differ by one row at most, in whole and in each class.

    >>> np.bincount(fold_numbers(np.array([0, 0, 0, 1, 1, 1, 1]), 2, seed=0)).tolist()
    [4, 3]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    numbers: IntArray = np.empty(len(labels), dtype=np.int64)
    numbers[order] = np.arange(len(labels)) % folds
    return numbers


def _apportion(counts: IntArray, seats: int) -> IntArray:
    """Whole numbers that add up to `seats`, in proportion to `counts`."""
    exact = counts * seats / max(counts.sum(), 1)
    whole: IntArray = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: seats - whole.sum()]] += 1
    return whole


def _one_each(quotas: IntArray, counts: IntArray) -> IntArray:
    """Let the small classes have one row, out of the largest quotas, as long as those keep one themselves."""
    for place in np.flatnonzero((quotas == 0) & (counts > 1)):
        largest = quotas.argmax()
        if quotas[largest] > 1:
            quotas[largest] -= 1
            quotas[place] = 1
    return quotas
