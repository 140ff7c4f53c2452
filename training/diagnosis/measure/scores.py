"""Loss and score of answers, the same way for every network whatever it was fitted with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray, IntArray
from training.data.parts import Problem


def answer_loss(answers: FloatArray, y: NDArray[np.generic], problem: Problem) -> float:
    """Cross-entropy in nats, taken of the answers as Keras takes it (rows divided by their sums, kept off 0), or mean squared error."""
    if problem.task == "regression":
        return float(np.mean((answers[:, 0] - y.astype(np.float64)) ** 2))
    with np.errstate(all="ignore"):
        shares = answers / answers.sum(axis=1, keepdims=True)
    right = shares[np.arange(len(y)), y.astype(np.int64)]
    return float(np.mean(-np.log(np.clip(right, 1e-7, 1 - 1e-7))))


def score(answers: FloatArray, y: NDArray[np.generic], problem: Problem) -> float:
    """Accuracy, or R² of a regression."""
    if problem.task == "regression":
        values = y.astype(np.float64)
        return float(1 - np.mean((answers[:, 0] - values) ** 2) / max(float(np.var(values)), 1e-12))
    return float(np.mean(answers.argmax(axis=1) == y))


def confusion(answers: FloatArray, y: NDArray[np.generic], problem: Problem) -> IntArray:
    """Counts (classes, classes) by [actual, predicted]; (0, 0) of a regression."""
    classes = len(problem.classes)
    if not classes:
        return np.zeros((0, 0), np.int64)
    cells: IntArray = np.bincount(y.astype(np.int64) * classes + answers.argmax(axis=1), minlength=classes**2)
    return cells.reshape(classes, classes)
