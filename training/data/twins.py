"""Equal rows: a row of the test that was also learnt from says how well the network remembers, not how well it predicts.

Rows are equal when their bytes are (hashed with BLAKE2, 128 bits: that two others collide among a billion has a chance of 10⁻²¹).
In a table of a few columns with a few values each, rows are equal by nature and not by copying; there, equal rows in two parts are two
cases and stay where they are. How many pairs chance alone makes is, for columns that know nothing of each other (the birthday problem),

    n (n − 1) / 2 · Π_columns Σ_values share²

and rows count as copies if that is less than one pair.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import IntArray
from training.data.rows import Part

Hashes = NDArray[np.void]

#: Rows that the shares are counted on, at most.
_COUNTED = 2_000


def row_hashes(x: NDArray[Any]) -> Hashes:
    """16 bytes for each row (n,) that equal rows share and others do not; 0 and -0 are one value, and so is every NaN."""
    rows = np.ascontiguousarray(x).reshape(len(x), math.prod(x.shape[1:]))
    if rows.dtype.kind == "f":
        rows = np.where(np.isnan(rows), np.nan, rows + 0)
    return np.array([hashlib.blake2b(row.data, digest_size=16).digest() for row in rows], dtype="V16")


def groups(x: NDArray[Any]) -> IntArray:
    """For each row (n,) the place of the first row that equals it."""
    _, first, inverse = np.unique(row_hashes(x), return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def is_copied(x: NDArray[Any]) -> bool:
    """Whether equal rows among these (n, …) would be copies, and not what chance makes of columns with few values."""
    return expected_pairs(x) < 1


def without_copies(learned: Part, held: Part) -> tuple[Part, Part]:
    """Rows to learn from and rows held back; what is held back and equals a row of the former has gone over to them."""
    twins = np.isin(row_hashes(held.x), row_hashes(learned.x))
    if not twins.any():
        return learned, held
    return learned.with_rows(held.take(np.flatnonzero(twins))), held.take(np.flatnonzero(~twins))


def expected_pairs(x: NDArray[Any]) -> float:
    """Pairs of equal rows that chance makes of columns that know nothing of each other.

    >>> expected_pairs(np.array([[0.0], [0.0], [1.0]])), expected_pairs(np.arange(9.0)[:, None])
    (1.0, 0.0)
    """
    rows = x.reshape(len(x), -1)
    sample = rows[np.linspace(0, len(rows) - 1, min(len(rows), _COUNTED)).astype(np.int64)]
    pairs = len(rows) * (len(rows) - 1) / 2
    for column in sample.T:
        if pairs < 1:
            break
        counts = np.unique(column, return_counts=True)[1]
        pairs *= (counts * (counts - 1)).sum() / (len(sample) * (len(sample) - 1))
    return float(pairs)


def contradictory(hashes: Hashes, labels: NDArray[Any]) -> int:
    """How many rows (n,) have equals with another label. `labels` (n,) class numbers."""
    _, group = np.unique(hashes, return_inverse=True)
    lowest, highest = np.full(group.max() + 1, np.inf), np.full(group.max() + 1, -np.inf)
    np.minimum.at(lowest, group, labels)
    np.maximum.at(highest, group, labels)
    return int((lowest < highest)[group].sum())
