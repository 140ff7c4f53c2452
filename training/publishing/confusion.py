"""A confusion matrix as a picture: how strongly each cell is coloured."""

from __future__ import annotations

from monitoring.arrays import IntArray

#: With more classes the matrix is too large to be read.
MANY_CLASSES = 30


def heat(confusion: IntArray) -> list[list[tuple[int, int]]]:
    """Each cell with its strength in percent; mistakes are scaled by themselves, or nobody would see them.

    >>> import numpy as np
    >>> heat(np.array([[90, 2], [1, 45]]))
    [[(90, 100), (2, 100)], [(1, 50), (45, 50)]]
    """
    off = confusion.copy()
    off[range(len(off)), range(len(off))] = 0
    worst, most = max(int(off.max()), 1), max(int(confusion.diagonal().max()), 1)
    return [
        [(int(count), round(100 * count / (most if row == column else worst))) for column, count in enumerate(counts)]
        for row, counts in enumerate(confusion)
    ]
