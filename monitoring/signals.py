"""The signals: what is watched of each prediction. Defined once here, used to write the reference and to watch the live traffic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.manifest import Input
from monitoring.arrays import FloatArray
from monitoring.pixels import pixel_statistics


@dataclass(frozen=True)
class Batch:
    """Rows that a model has answered: `inputs` (n, …) as it took them, `probabilities` (n, classes)."""

    inputs: FloatArray
    probabilities: FloatArray

    def __len__(self) -> int:
        return len(self.probabilities)


def measure(batch: Batch, taken: Input) -> dict[str, FloatArray]:
    """Every signal of every row: name → values of shape (n,). What the model answered, then what it was shown.

    class       the predicted class
    confidence  the largest probability
    entropy     of the probabilities, in nats
    and, for images, those of `monitoring.pixels`.
    """
    signals = answer_signals(batch.probabilities)
    if taken.kind == "image":
        lowest, highest = taken.range
        signals |= pixel_statistics(batch.inputs, lowest, highest)
    return signals


def answer_signals(probabilities: FloatArray) -> dict[str, FloatArray]:
    """Signals of the answer alone. `probabilities` has shape (n, classes).

    >>> {name: value.tolist() for name, value in answer_signals(np.array([[0.5, 0.5], [0.0, 1.0]])).items()}
    {'class': [0.0, 1.0], 'confidence': [0.5, 1.0], 'entropy': [0.6931471805599453, 0.0]}
    """
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return {
        "class": probabilities.argmax(axis=1).astype(np.float64),
        "confidence": probabilities.max(axis=1),
        "entropy": np.abs(-(probabilities * logs).sum(axis=1)),
    }


#: Checks of the data that a request brings. The hard ones refuse the request; `range` and `constant` only count.
QUALITY_CHECKS = ("type", "shape", "not_finite", "range", "constant")


def quality(inputs: FloatArray, taken: Input) -> dict[str, int]:
    """How many rows fail each of the checks that do not refuse: values out of range, all values the same."""
    rows = inputs.reshape(len(inputs), -1)
    least, most = rows.min(axis=1), rows.max(axis=1)
    lowest, highest = taken.range
    return {
        "range": int(np.count_nonzero((least < lowest) | (most > highest))),
        "constant": int(np.count_nonzero(least == most)) if rows.shape[1] > 1 else 0,
    }
