"""Stratified splits: every part has the same share of each class, to the row where rounding allows."""

from __future__ import annotations

import numpy as np

from monitoring.arrays import IntArray


def stratified(labels: IntArray, rows: int, seed: int) -> tuple[IntArray, IntArray]:
    """Draw `rows` of the rows without replacement, as many of each class as its share says; the others are the rest.

    `labels` (n,) class numbers. Returns (rest, drawn): indices into `labels`, both shuffled. The rows that rounding leaves over go
    to the classes with the largest remainders (Hamilton's method), so that exactly `rows` are drawn.
    Raises ValueError if there are fewer than `rows`.

    >>> rest, drawn = stratified(np.array([0, 0, 0, 0, 1, 1]), 3, seed=0)
    >>> sorted(np.array([0, 0, 0, 0, 1, 1])[drawn].tolist()), len(rest)
    ([0, 0, 1], 3)
    """
    if not 0 <= rows <= len(labels):
        raise ValueError(f"{rows} rows cannot be drawn from {len(labels)}")
    random = np.random.default_rng(seed)
    classes, counts = np.unique(labels, return_counts=True)
    quotas = _apportion(counts, rows)
    order = random.permutation(len(labels))
    drawn = [order[labels[order] == label][:quota] for label, quota in zip(classes, quotas, strict=True)]
    chosen = random.permutation(np.concatenate([np.empty(0, np.int64), *drawn]))
    rest: IntArray = order[~np.isin(order, chosen)]
    return rest, chosen


def _apportion(counts: IntArray, seats: int) -> IntArray:
    """Whole numbers that add up to `seats`, in proportion to `counts`."""
    exact = counts * seats / max(counts.sum(), 1)
    whole: IntArray = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: seats - whole.sum()]] += 1
    return whole
