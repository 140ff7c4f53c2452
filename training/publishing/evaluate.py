"""How good a variant is on the test rows, which nothing before has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.manifest import Metric
from monitoring.accuracy.wilson import wilson
from monitoring.arrays import FloatArray, IntArray
from training.data.parts import Part
from training.onnx.answers import answer


@dataclass(frozen=True)
class Score:
    """Accuracy with its interval, the confusion matrix (classes, classes) by [actual, predicted], and the answers: probabilities
    (n, classes) and embeddings (n, features).
    """

    accuracy: Metric
    confusion: IntArray
    probabilities: FloatArray
    embeddings: FloatArray

    @property
    def precision(self) -> FloatArray:
        """Of the rows that were given a class, the share that has it; NaN where none was given it."""
        return _shares(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> FloatArray:
        """Of the rows of a class, the share that was recognized; NaN where there are none."""
        return _shares(self.confusion.diagonal(), self.confusion.sum(axis=1))


def evaluate(path: Path, test: Part, classes: int) -> Score:
    """Score an ONNX file on the test rows."""
    probabilities, embeddings = answer(path, test.x)
    predicted = probabilities.argmax(axis=1)
    interval = wilson(int(np.count_nonzero(predicted == test.y)), len(test))
    accuracy = Metric(interval.value, interval.lower, interval.upper, len(test))
    return Score(accuracy, confusion_matrix(test.y, predicted, classes), probabilities, embeddings)


def confusion_matrix(actual: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Counts (classes, classes) of rows by [actual, predicted].

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 0], [1, 1]]
    """
    cells: IntArray = np.bincount(actual * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def _shares(part: IntArray, whole: IntArray) -> FloatArray:
    shares: FloatArray = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return shares
