"""The signals: what is watched of each prediction. Defined once here, used to write the reference and to watch the live traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Input
from monitoring.arrays import FloatArray
from monitoring.signals.answered import CLASSES, Answered
from monitoring.signals.columns import Columns
from monitoring.signals.energy import Head
from monitoring.signals.fourier import Fourier
from monitoring.signals.pixels import pixel_statistics
from monitoring.signals.space import Space
from monitoring.signals.values import value_statistics


@dataclass(frozen=True)
class Batch:
    """Rows that a model has answered: `inputs` (n, …) as it took them, or images as bytes, `outputs` (n, classes) probabilities or
    (n, 1) values, `embeddings` (n, features). `places` (n, directions) is where these are in the variant's space, once that was asked.
    """

    inputs: NDArray[Any]
    outputs: FloatArray
    embeddings: FloatArray
    places: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def nbytes(self) -> int:
        return self.inputs.nbytes + self.outputs.nbytes + self.embeddings.nbytes


@dataclass(frozen=True)
class Fitted:
    """What signals need to know of a variant beyond its answers: what is answered, and from its network and its training rows. What is
    None is not watched.
    """

    head: Head | None = None
    space: Space | None = None
    fourier: Fourier | None = None
    columns: Columns | None = None
    answered: Answered = CLASSES

    def placed(self, batch: Batch) -> Batch:
        """The batch with its places, if the variant has a space. They are not computed again if it has them."""
        if self.space is None or batch.places is not None:
            return batch
        return Batch(batch.inputs, batch.outputs, batch.embeddings, self.space.place(batch.embeddings))

    def distance(self, batch: Batch) -> FloatArray | None:
        """Of the embedding of each row to the mean of its class, or of all, (n,); None if the variant has no space."""
        if self.space is None:
            return None
        places = self.space.place(batch.embeddings) if batch.places is None else batch.places
        return self.space.distance(places, self.answered.groups(batch.outputs))

    def distance_of_one(self, batch: Batch) -> float | None:
        """The same of a single row."""
        return None if self.space is None else self.space.distance_of_one(batch.embeddings, self.answered.groups(batch.outputs)[0])


def measure(batch: Batch, taken: Input, fitted: Fitted) -> dict[str, FloatArray]:
    """Every signal of every row: name → values of shape (n,). What the model answered, then what it was shown.

    those of the answer itself (`monitoring.signals.answered`): the class, confidence, entropy; or the value
    energy      of the answer, in nats (`monitoring.signals.energy`)
    distance    of the embedding to the mean of its class, or of all (`monitoring.signals.space`)
    and, for images, those of `monitoring.signals.pixels`; for tables, those of `monitoring.signals.columns`; for tensors and sequences,
    those of `monitoring.signals.values`.
    """
    signals = fitted.answered.signals(batch.outputs)
    if fitted.head:
        signals["energy"] = fitted.head.energy(batch.outputs, batch.embeddings)
    if (distance := fitted.distance(batch)) is not None:
        signals["distance"] = distance
    if taken.kind == "image":
        lowest, highest = taken.range
        signals |= pixel_statistics(batch.inputs, lowest, highest)
    if taken.kind == "tabular" and fitted.columns:
        signals |= fitted.columns.signals(batch.inputs)
    if taken.kind in ("tensor", "sequence"):
        signals |= value_statistics(batch.inputs)
    return signals


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
