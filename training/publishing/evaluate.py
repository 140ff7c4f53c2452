"""How good a variant is on the test rows, which nothing before has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Metric
from monitoring.accuracy.calibration import Calibration
from monitoring.accuracy.conformal import Residuals
from monitoring.accuracy.regression import error_sums, errors
from monitoring.accuracy.wilson import Interval, wilson
from monitoring.arrays import FloatArray, IntArray
from training.data.parts import Part
from training.onnx.answers import answer


@dataclass(frozen=True)
class Score:
    """Of classes: accuracy with its interval, the confusion matrix (classes, classes) by [actual, predicted], and the answers: `outputs`
    (n, classes) probabilities and embeddings (n, features).
    """

    accuracy: Metric
    confusion: IntArray
    outputs: FloatArray
    embeddings: FloatArray

    @property
    def metrics(self) -> dict[str, Metric]:
        return {"accuracy": self.accuracy}

    def calibrated(self, outputs: FloatArray, labels: NDArray[Any]) -> dict[str, Any]:
        """What the reference keeps of answers to validation rows: what their confidence is worth."""
        return {"calibration": Calibration.fit(outputs, labels, self.confusion)}

    @property
    def precision(self) -> FloatArray:
        """Of the rows that were given a class, the share that has it; NaN where none was given it."""
        return _shares(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> FloatArray:
        """Of the rows of a class, the share that was recognized; NaN where there are none."""
        return _shares(self.confusion.diagonal(), self.confusion.sum(axis=1))


@dataclass(frozen=True)
class ValueScore:
    """Of values: the errors with their intervals, and the answers: `outputs` (n, 1) and embeddings (n, features). `actual` (n,)."""

    mae: Metric
    rmse: Metric
    actual: FloatArray
    outputs: FloatArray
    embeddings: FloatArray

    @property
    def metrics(self) -> dict[str, Metric]:
        return {"mae": self.mae, "rmse": self.rmse}

    @property
    def residuals(self) -> FloatArray:
        """Answer less truth, (n,)."""
        return self.outputs[:, 0].astype(np.float64) - self.actual

    def calibrated(self, outputs: FloatArray, labels: NDArray[Any]) -> dict[str, Any]:
        """What the reference keeps of answers to validation rows: how wide an interval must be."""
        return {"residuals": Residuals.fit(outputs[:, 0].astype(np.float64) - labels, self.residuals)}


def evaluate(path: Path, test: Part, classes: int) -> Score | ValueScore:
    """Score an ONNX file on the test rows. Without classes it answers values."""
    return judge_answers(test, classes, *answer(path, test.x))


def judge_answers(test: Part, classes: int, outputs: FloatArray, embeddings: FloatArray) -> Score | ValueScore:
    """Score answers to the test rows: `outputs` (n, classes) or, without classes, (n, 1)."""
    return _classes(test, classes, outputs, embeddings) if classes else _values(test, outputs, embeddings)


def _classes(test: Part, classes: int, outputs: FloatArray, embeddings: FloatArray) -> Score:
    predicted = outputs.argmax(axis=1)
    accuracy = _metric(wilson(int(np.count_nonzero(predicted == test.y)), len(test)), test)
    return Score(accuracy, confusion_matrix(test.y, predicted, classes), outputs, embeddings)


def _values(test: Part, outputs: FloatArray, embeddings: FloatArray) -> ValueScore:
    actual, values = test.y.astype(np.float64), outputs[:, 0].astype(np.float64)
    found = errors(error_sums(values, actual, values, values), fewest=2)
    assert found  # a split has at least two rows in each part
    return ValueScore(_metric(found.mae, test), _metric(found.rmse, test), actual, outputs, embeddings)


def _metric(interval: Interval, test: Part) -> Metric:
    return Metric(interval.value, interval.lower, interval.upper, len(test))


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
