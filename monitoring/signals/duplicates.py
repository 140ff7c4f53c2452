"""Repeated rows: a client that sends the same bytes again and again says nothing new, however many rows it sends.

Each row is known by a sum of its bytes, eight at a time, times fixed random numbers, modulo 2⁶⁴ (J. L. Carter and M. N. Wegman,
"Universal classes of hash functions", J. Computer and System Sciences 18 (1979), proposition 8): exact in whole numbers, so it is the
same in a batch of any size. A row is a repetition if it is in the same batch twice, or if the last row that came to its place in a
table had the same sum; the table has a few thousand places and is cleared every ten seconds, so what was longer ago is forgotten.

>>> recent = Recent()
>>> recent.repeats(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])).tolist(), recent.repeats(np.array([[3.0, 4.0], [2.0, 1.0]])).tolist()
([False, False, True], [True, False])
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Signatures = NDArray[np.uint64]

#: What came longer ago may come again: somebody who tries the same images once more is no burst.
FORGET_SECONDS = 10.0
#: Places of the table, as a power of 2.
_BITS = 12
#: Floats of whole numbers differ in their upper half only: so that the sums differ in all their bits, that half is laid over the lower.
_HALF = np.uint64(16)


class Recent:
    """The rows that came lately, each by its signature. One thread at a time."""

    def __init__(self) -> None:
        self._table: Signatures = np.zeros(1 << _BITS, dtype=np.uint64)
        self._cleared_at = -np.inf

    def repeats(self, rows: NDArray[Any], now: float = 0.0) -> NDArray[np.bool_]:
        """Which of the rows (n, …) were here before, in this batch or lately. `now` in seconds, of any clock that only goes on."""
        if now - self._cleared_at >= FORGET_SECONDS:
            self._table[:], self._cleared_at = 0, now
        found, first = np.unique(signatures(rows), return_index=True)
        places = found >> np.uint64(64 - _BITS)
        repeated = np.ones(len(rows), dtype=np.bool_)
        repeated[first] = self._table[places] == found
        self._table[places] = found
        return repeated


def signatures(rows: NDArray[Any]) -> Signatures:
    """A number for each row (n,) that equal rows share and others do not, whatever else is in the batch.

    A row of bytes has that of its bytes, however it came: pixels in JSON with a point are the same pixels.
    """
    flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
    if flat.dtype == np.uint8:
        return _sums(flat)
    with np.errstate(invalid="ignore"):  # what is no byte is not the same afterwards
        as_bytes = flat.astype(np.uint8)
    return np.where((as_bytes == flat).all(axis=1), _sums(as_bytes), _sums(flat))


def _sums(rows: NDArray[Any]) -> Signatures:
    words = _words(rows)
    keys = _keys(words.shape[1])
    mixed = words >> _HALF
    mixed ^= words
    sums: Signatures = np.einsum("ij,j->i", mixed, keys[1:]) + keys[0]
    return sums


def _words(rows: NDArray[Any]) -> Signatures:
    """The bytes of each row (n, values) as numbers of eight bytes, the last one filled up with zeros."""
    raw = rows.view(np.uint8)
    if rest := raw.shape[1] % 8:
        raw = np.pad(raw, ((0, 0), (0, 8 - rest)))
    return raw.view(np.uint64)


@functools.lru_cache(64)
def _keys(words: int) -> Signatures:
    return np.random.default_rng(0).integers(0, 2**64, words + 1, dtype=np.uint64)
