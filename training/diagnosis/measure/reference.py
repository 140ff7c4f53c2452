"""What answers without a network are worth: nearest neighbours and ridge regression on the rows as they are.

A network that stays below both has something to be found out; one that stays below neither is at least no worse than what costs
nothing. How neighbours' labels agree also says whether labels and inputs belong together at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray, IntArray
from training.diagnosis.facts import Reference

#: Rows that distances are taken over: enough for two digits, and a quarter of a second at 784 features.
MOST_TRAIN, MOST_VALIDATION = 2000, 1000
_NEIGHBORS = 10
_RIDGE = 0.1  # penalty per row, in units of the variance of a standardized feature


def reference(train_x: FloatArray, train_y: NDArray[Any], x: FloatArray, y: NDArray[Any], classes: int) -> Reference:
    """Of features (n, d) with labels or values (n,), asked about `x`, `y`. `classes` is 0 for a regression."""
    if not classes:
        return _of_values(train_x, train_y.astype(np.float64), x, y.astype(np.float64))
    near, among = _nearest(train_x, x), _nearest(train_x)
    shares = np.bincount(train_y, minlength=classes) / len(train_y)
    majority = _majority(train_y[among], classes)
    return Reference(
        chance=float(np.mean(y == shares.argmax())),
        neighbors=float(np.mean(_majority(train_y[near], classes) == y)),
        linear=float(np.mean(_ridge(train_x, np.eye(classes)[train_y], x).argmax(axis=1) == y)),
        agreement=float(np.mean(train_y[among[:, 0]] == train_y)),
        agreement_by_chance=float(np.sum(shares**2)),
        scattered=scattered(_confusion(train_y, majority, classes)),
    )


def _of_values(train_x: FloatArray, train_y: FloatArray, x: FloatArray, y: FloatArray) -> Reference:
    """R² of the mean, of the mean of the nearest, and of ridge regression."""
    said = train_y[_nearest(train_x, x)].mean(axis=1)
    linear = _ridge(train_x, train_y[:, None], x)[:, 0]
    return Reference(_r2(np.full(len(y), train_y.mean()), y), _r2(said, y), _r2(linear, y), None, 0.0, None)


def scattered(confusion: IntArray) -> float | None:
    """The rate of mistakes that are spread evenly over all pairs of classes, as label noise spreads them.

    `confusion` (classes, classes) counts. The rate of all mistakes times their evenness, which is mean² / mean of n (n − 1) over the
    cells off the diagonal: 1 for Poisson counts of one mean, near 0 where a few pairs have them all. None below three classes,
    where all mistakes are of one pair.

    >>> scattered(np.array([[90, 5, 5], [5, 90, 5], [5, 5, 90]]))
    0.1
    >>> scattered(np.array([[90, 10, 0], [10, 90, 0], [0, 0, 100]])) < 0.03
    True
    """
    if len(confusion) < 3 or not confusion.sum():
        return None
    off = confusion[~np.eye(len(confusion), dtype=bool)].astype(np.float64)
    pairs = float(np.mean(off * (off - 1)))
    evenness = min(1.0, float(off.mean()) ** 2 / pairs) if pairs > 0 else 0.0
    return float(off.sum() / confusion.sum()) * evenness


def _nearest(rows: FloatArray, asked: FloatArray | None = None) -> IntArray:
    """The nearest `rows` to each row asked, the nearest first; among themselves without the row itself. (asked, neighbours)"""
    count = min(_NEIGHBORS, len(rows) - (asked is None))
    other = rows if asked is None else asked
    distances = (rows**2).sum(axis=1)[None, :] - 2 * other @ rows.T
    if asked is None:
        np.fill_diagonal(distances, np.inf)
    found = np.argpartition(distances, count - 1, axis=1)[:, :count]
    order = np.take_along_axis(distances, found, axis=1).argsort(axis=1)
    nearest: IntArray = np.take_along_axis(found, order, axis=1)
    return nearest


def _majority(labels: IntArray, classes: int) -> IntArray:
    """The commonest label of each row (n, neighbours); the nearest neighbour breaks a tie."""
    votes = (labels[:, :, None] == np.arange(classes)).sum(axis=1) + 0.5 * np.eye(classes)[labels[:, 0]]
    commonest: IntArray = votes.argmax(axis=1)
    return commonest


def _ridge(rows: FloatArray, targets: FloatArray, asked: FloatArray) -> FloatArray:
    """Ridge regression in its dual form where there are more features than rows. (asked, targets)"""
    center, mean = rows.mean(axis=0), targets.mean(axis=0)
    x, y = rows - center, targets - mean
    n, d = x.shape
    penalty = _RIDGE * n
    primal = d <= n
    gram = x.T @ x if primal else x @ x.T
    found = np.linalg.solve(gram + penalty * np.eye(len(gram)), x.T @ y if primal else y)
    answers: FloatArray = (asked - center) @ (found if primal else x.T @ found) + mean
    return answers


def _r2(said: FloatArray, actual: FloatArray) -> float:
    return float(1 - np.mean((said - actual) ** 2) / max(float(np.var(actual)), 1e-12))


def _confusion(actual: IntArray, said: IntArray, classes: int) -> IntArray:
    cells: IntArray = np.bincount(actual * classes + said, minlength=classes * classes)
    return cells.reshape(classes, classes)
