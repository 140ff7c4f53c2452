"""Labels that came in, as they are read from the log, whatever was predicted: numbers of classes, or values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from monitoring.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Labels:
    """Labels that came in, one row each: what was `predicted` and what it is (n,), class numbers or values; times in seconds since 1970
    (n,), and the confidence answered (n,), which is 0 beside a value.
    """

    predicted: IntArray | FloatArray
    actual: IntArray | FloatArray
    predicted_at: FloatArray
    labelled_at: FloatArray
    confidence: FloatArray

    def __len__(self) -> int:
        return len(self.predicted)


def labelled_rows(parts: dict[str, NDArray[Any]]) -> float:
    """How many labels there were, out of the blocks of any label layout: each has exactly one delay."""
    return float(parts["delay"].sum())
