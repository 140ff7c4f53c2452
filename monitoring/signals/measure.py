"""The signals: what is watched of each prediction. Defined once here, used to write the reference and to watch the live traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Input
from monitoring.arrays import FloatArray
from monitoring.signals.columns import Columns
from monitoring.signals.energy import Head
from monitoring.signals.fourier import Fourier
from monitoring.signals.pixels import pixel_statistics
from monitoring.signals.space import Space


@dataclass(frozen=True)
class Batch:
    """Rows that a model has answered: `inputs` (n, …) as it took them, `probabilities` (n, classes), `embeddings` (n, features)."""

    inputs: NDArray[Any]
    probabilities: FloatArray
    embeddings: FloatArray

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def nbytes(self) -> int:
        return self.inputs.nbytes + self.probabilities.nbytes + self.embeddings.nbytes

    @classmethod
    def together(cls, batches: list[Batch]) -> Batch:
        """All rows of the batches, one after the other."""
        if len(batches) == 1:
            return batches[0]
        return cls(
            np.concatenate([batch.inputs for batch in batches]),
            np.concatenate([batch.probabilities for batch in batches]),
            np.concatenate([batch.embeddings for batch in batches]),
        )


@dataclass(frozen=True)
class Fitted:
    """What signals need to know of a variant beyond its answers, from its network and its training rows. What is None is not watched."""

    head: Head | None = None
    space: Space | None = None
    fourier: Fourier | None = None
    columns: Columns | None = None

    def place(self, embeddings: FloatArray) -> FloatArray | None:
        """Where embeddings (n, features) are in the variant's space, (n, directions); None if it has none."""
        return self.space.place(embeddings) if self.space else None


def measure(batch: Batch, taken: Input, fitted: Fitted, places: FloatArray | None = None) -> dict[str, FloatArray]:
    """Every signal of every row: name → values of shape (n,). What the model answered, then what it was shown.

    class       the predicted class
    confidence  the largest probability
    entropy     of the probabilities, in nats
    energy      of the answer, in nats (`monitoring.signals.energy`)
    distance    of the embedding to the mean of its class (`monitoring.signals.space`)
    and, for images, those of `monitoring.signals.pixels`; for tables, those of `monitoring.signals.columns`.

    `places` is `fitted.place(batch.embeddings)`, for who has it already.
    """
    signals = answer_signals(batch.probabilities)
    if fitted.head:
        signals["energy"] = fitted.head.energy(batch.probabilities, batch.embeddings)
    if fitted.space:
        places = fitted.space.place(batch.embeddings) if places is None else places
        signals["distance"] = fitted.space.distance(places, batch.probabilities.argmax(axis=1))
    if taken.kind == "image":
        lowest, highest = taken.range
        signals |= pixel_statistics(batch.inputs, lowest, highest)
    if taken.kind == "tabular" and fitted.columns:
        signals |= fitted.columns.signals(batch.inputs)
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


#: Checks of the data that a request brings. The first three refuse the request; the others only count.
QUALITY_CHECKS = ("type", "shape", "not_finite", "range", "constant", "duplicate")


def quality(inputs: NDArray[Any], taken: Input, repeated: NDArray[np.bool_]) -> dict[str, int]:
    """How many rows fail each of the checks that do not refuse: values out of range, all values the same, the same row again."""
    rows = inputs.reshape(len(inputs), -1)
    least, most = rows.min(axis=1), rows.max(axis=1)
    lowest, highest = taken.range
    return {
        "range": int(np.count_nonzero((least < lowest) | (most > highest))),
        "constant": int(np.count_nonzero(least == most)) if rows.shape[1] > 1 else 0,
        "duplicate": int(np.count_nonzero(repeated)),
    }
