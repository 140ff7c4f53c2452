"""Made classifiers whose truth is known: the Bayes-optimal one of Gaussian classes, which is perfectly calibrated where it was made for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.accuracy.calibration import Calibration
from monitoring.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class World:
    """Classes are Gaussians around `centres` (classes, 2), all as frequent. The first two are hard to tell apart, the others easy."""

    centres: FloatArray

    @classmethod
    def make(cls, distance: float = 2.0) -> World:
        return cls(distance * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 4.0], [4.0, 4.0]]))

    def draw(self, rows: int, rng: np.random.Generator, shares: FloatArray | None = None) -> tuple[FloatArray, IntArray]:
        """Points (n, 2) and their classes (n,), which come in these shares."""
        labels = rng.choice(len(self.centres), rows, p=shares)
        return self.centres[labels] + rng.normal(size=(rows, 2)), labels

    def answer(self, points: FloatArray, sharpness: float = 1.0) -> FloatArray:
        """Probabilities (n, classes): those of Bayes, or with another `sharpness` those of a classifier that is too sure or too unsure."""
        logits = -0.5 * ((points[:, None] - self.centres) ** 2).sum(axis=2)
        weights = np.exp(sharpness * (logits - logits.max(axis=1, keepdims=True)))
        found: FloatArray = weights / weights.sum(axis=1, keepdims=True)
        return found

    def calibrate(self, rows: int, rng: np.random.Generator, sharpness: float = 1.0) -> Calibration:
        """Fitted on as many held-back rows as there are reference rows."""
        points, labels = self.draw(rows, rng)
        reference, actual = self.draw(rows, rng)
        counts = np.zeros((len(self.centres), len(self.centres)), dtype=np.int64)
        np.add.at(counts, (actual, self.answer(reference).argmax(axis=1)), 1)
        return Calibration.fit(self.answer(points, sharpness), labels, counts)
