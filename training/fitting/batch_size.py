"""The batch size that fits: doubled until memory is full, or until a larger batch gets no more rows through in a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from monitoring.arrays import FloatArray

SMALLEST = 16
#: An epoch needs at least so many, or a larger batch saves time and learns nothing.
UPDATES = 10
_GAIN = 1.10
_STEPS = 2
_OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)


def batch_size_of(model: Any, x: Any, targets: FloatArray) -> tuple[int, dict[int, float]]:
    """The batch size for a compiled model and rows x (n, …), and the rows per second at each size that was tried.

    The model is left as it was, but for what its optimizer remembers.
    """
    weights = model.get_weights()
    largest = max(SMALLEST, len(x) // UPDATES)
    found = knee(_sizes(largest), lambda size: _rows_per_second(model, x, targets, size))
    model.set_weights(weights)
    return found


def knee(sizes: Iterator[int], measure: Callable[[int], float]) -> tuple[int, dict[int, float]]:
    """The last size that was a tenth faster than the one before it, and what was measured.

    `measure` gives rows per second, and may raise MemoryError for a batch that is too large.

    >>> knee(iter([16, 32, 64]), {16: 100.0, 32: 190.0, 64: 200.0}.get)
    (32, {16: 100.0, 32: 190.0, 64: 200.0})
    """
    best, measured = 0, dict[int, float]()
    for size in sizes:
        try:
            measured[size] = measure(size)
        except _OUT_OF_MEMORY:
            break
        if best and measured[size] < _GAIN * measured[best]:
            break
        best = size
    return best or SMALLEST, measured


def _sizes(largest: int) -> Iterator[int]:
    size = SMALLEST
    while size <= largest:
        yield size
        size *= 2


def _rows_per_second(model: Any, x: Any, targets: FloatArray, size: int) -> float:
    """The faster of a few steps, after one in which TensorFlow makes ready for this size."""
    rows = np.arange(size) % len(x)
    model.train_on_batch(x[rows], targets[rows])
    seconds = []
    for _ in range(_STEPS):
        started = time.perf_counter()
        model.train_on_batch(x[rows], targets[rows])
        seconds.append(time.perf_counter() - started)
    return size / min(seconds)
