"""Kept: answered rows that are not counted yet, one after the other, in memory that is used again and again.

Kept as they come, each request would get other memory than the one before it, which is in none of the processor's caches; copied, its
own is free again for the next one, and all rows lie together when they are counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.signals.measure import Batch


class Kept:
    """Rows of one kind, in two pieces of memory: one is filled while the other is counted. One thread at a time."""

    def __init__(self, like: Batch, most_rows: int, most_bytes: int) -> None:
        """For so many rows, or as many as the bytes allow. What is not filled is never touched, so it costs nothing."""
        self._capacity, self._rows = max(1, min(most_rows, most_bytes * len(like) // like.nbytes)), 0
        self._filling, self._spare = self._memory(like), self._memory(like)

    def is_for(self, batch: Batch) -> bool:
        """Whether these are rows of that kind: some come as bytes, others as numbers."""
        inputs, kept = batch.inputs, self._filling.inputs
        return inputs.dtype == kept.dtype and inputs.shape[1:] == kept.shape[1:]

    def add(self, batch: Batch) -> bool:
        """Copy the batch behind the others; False if there is no room for it."""
        start, filling = self._rows, self._filling
        end = start + len(batch.outputs)
        if end > self._capacity:
            return False
        filling.inputs[start:end] = batch.inputs
        filling.outputs[start:end] = batch.outputs
        filling.embeddings[start:end] = batch.embeddings
        self._rows = end
        return True

    def take(self) -> Batch | None:
        """All rows, which stay as they are until the next are taken; None if there are none."""
        if not self._rows:
            return None
        taken, rows = self._filling, slice(self._rows)
        self._filling, self._spare, self._rows = self._spare, taken, 0
        return Batch(taken.inputs[rows], taken.outputs[rows], taken.embeddings[rows])

    def _memory(self, like: Batch) -> Batch:
        def room(part: NDArray[Any]) -> NDArray[Any]:
            return np.empty((self._capacity, *part.shape[1:]), part.dtype)

        return Batch(room(like.inputs), room(like.outputs), room(like.embeddings))
