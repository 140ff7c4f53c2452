"""Kept: answered rows that are not counted yet, one after the other, in memory that is used again and again.

Kept as they come, each request would get other memory than the one before it, which is in none of the processor's caches; copied, its
own is free again for the next one, and all rows lie together when they are counted.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.signals.measure import Batch


class Kept:
    """Rows of one kind, in two pieces of memory: one is filled while the other is counted. One thread at a time."""

    def __init__(self, like: Batch, most_rows: int, most_bytes: int) -> None:
        """For so many rows, or as many as the bytes allow. What is not filled is never touched, so it costs nothing."""
        capacity = max(1, min(most_rows, most_bytes * len(like) // like.nbytes))
        self._filling, self._spare = (
            {name: np.empty((capacity, *part.shape[1:]), part.dtype) for name, part in _parts(like).items()} for _ in range(2)
        )
        self._capacity, self._rows = capacity, 0

    def add(self, batch: Batch) -> bool:
        """Copy the batch behind the others; False if there is no room for it."""
        end = self._rows + len(batch)
        if end > self._capacity:
            return False
        for name, part in _parts(batch).items():
            self._filling[name][self._rows : end] = part
        self._rows = end
        return True

    def take(self) -> Batch | None:
        """All rows, which stay as they are until the next are taken; None if there are none."""
        if not self._rows:
            return None
        taken = Batch(**{name: part[: self._rows] for name, part in self._filling.items()})
        self._filling, self._spare, self._rows = self._spare, self._filling, 0
        return taken


def kind(batch: Batch) -> Hashable:
    """What rows have in common that are kept together: some come as bytes, others as numbers."""
    return tuple([(name, part.dtype.num, part.shape[1:]) for name, part in _parts(batch).items()])


def _parts(batch: Batch) -> dict[str, NDArray[Any]]:
    parts = {"inputs": batch.inputs, "outputs": batch.outputs, "embeddings": batch.embeddings, "places": batch.places}
    return {name: part for name, part in parts.items() if part is not None}
