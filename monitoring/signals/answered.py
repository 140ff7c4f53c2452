"""What a model answers, as signals: classes with probabilities, or values. Where rows are measured, this alone tells the two apart."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from monitoring.arrays import FloatArray, IntArray
from monitoring.signals.binning import class_edges, quantile_edges


class Answered(Protocol):
    """One kind of answers. `name` is the signal that every row has, the first of all; `outputs` are (n, …) as the model gives them."""

    name: str

    def values(self, outputs: FloatArray) -> FloatArray:
        """The signal `name` of each answer, (n,)."""
        ...

    def signals(self, outputs: FloatArray) -> dict[str, FloatArray]:
        """The signals of the answers alone: name → values (n,). The first is `name`."""
        ...

    def groups(self, outputs: FloatArray) -> IntArray:
        """Which of the centres of the embeddings each answer belongs to, (n,)."""
        ...

    def edges(self, outputs: FloatArray) -> FloatArray:
        """Inner edges of the bins of the signal `name`."""
        ...

    def classes(self, outputs: FloatArray) -> int:
        """How many classes there are that may come in other shares."""
        ...


class Classes:
    """Classes: `outputs` are probabilities (n, classes).

    class       the predicted class
    confidence  the largest probability
    entropy     of the probabilities, in nats

    >>> {name: value.tolist() for name, value in Classes().signals(np.array([[0.5, 0.5], [0.0, 1.0]])).items()}
    {'class': [0.0, 1.0], 'confidence': [0.5, 1.0], 'entropy': [0.6931471805599453, 0.0]}
    """

    name = "class"

    def values(self, outputs: FloatArray) -> FloatArray:
        return self.groups(outputs).astype(np.float64)

    def signals(self, outputs: FloatArray) -> dict[str, FloatArray]:
        columns = np.ascontiguousarray(outputs.T)  # a row a class: over classes that is several times as fast
        logs = np.log(np.maximum(columns, np.finfo(columns.dtype).tiny))
        return {
            "class": self.values(outputs),
            "confidence": columns.max(axis=0),
            "entropy": np.abs((columns * logs).sum(axis=0)),
        }

    def groups(self, outputs: FloatArray) -> IntArray:
        chosen: IntArray = outputs.argmax(axis=1)
        return chosen

    def edges(self, outputs: FloatArray) -> FloatArray:
        return class_edges(outputs.shape[1])

    def classes(self, outputs: FloatArray) -> int:
        return int(outputs.shape[1])


class Values:
    """Values: `outputs` are (n, 1), in the unit of the target. There is one centre for all rows.

    >>> Values().signals(np.array([[0.5], [2.0]]))["value"].tolist()
    [0.5, 2.0]
    """

    name = "value"

    def values(self, outputs: FloatArray) -> FloatArray:
        return outputs[:, 0]

    def signals(self, outputs: FloatArray) -> dict[str, FloatArray]:
        return {"value": self.values(outputs)}

    def groups(self, outputs: FloatArray) -> IntArray:
        return np.zeros(len(outputs), dtype=np.int64)

    def edges(self, outputs: FloatArray) -> FloatArray:
        return quantile_edges(outputs[:, 0])

    def classes(self, outputs: FloatArray) -> int:
        return 0


CLASSES, VALUES = Classes(), Values()
