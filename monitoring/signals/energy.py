"""The energy of an answer: how little the model's last layer has to say about a row, before the softmax divides it away.

    E = −log Σ exp(z_j),   z = embedding · W + b the logits

(W. Liu et al., "Energy-based out-of-distribution detection", NeurIPS 2020, arXiv 2010.03759, equation 4 at temperature 1.) A softmax
is as sure of 20 against 10 as of 110 against 100; the energy tells them apart. One logit is enough, since log p_j = z_j + E:

    E = log p_k − z_k,   k the predicted class, whose p is never 0

>>> head = Head(np.array([[1.0, 0.0], [0.0, 2.0]]), np.zeros(2))
>>> embedding = np.array([[3.0, 1.0]])
>>> logits = embedding @ head.weights
>>> shares = np.exp(logits) / np.exp(logits).sum()
>>> round(float(head.energy(shares, embedding)[0]), 6), round(float(-np.log(np.exp(logits).sum())), 6)
(-3.313262, -3.313262)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitoring.arrays import FloatArray, OfArrays


@dataclass(frozen=True)
class Head(OfArrays):
    """The last Dense layer: `weights` (features, classes), `bias` (classes,)."""

    weights: FloatArray
    bias: FloatArray

    def energy(self, probabilities: FloatArray, embeddings: FloatArray) -> FloatArray:
        """The energy of each row, in nats, (n,). `probabilities` (n, classes), `embeddings` (n, features)."""
        predicted = probabilities.argmax(axis=1)
        logits = np.vecdot(embeddings, self._columns[predicted]) + self.bias[predicted]
        energies: FloatArray = np.log(probabilities[np.arange(len(predicted)), predicted]) - logits
        return energies

    @cached_property
    def _columns(self) -> FloatArray:
        return np.ascontiguousarray(self.weights.T)
