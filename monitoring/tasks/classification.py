"""Classes: hits, confusions, calibration, and accuracy without labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.manifest import Metric
from monitoring.accuracy.calibration import Calibration
from monitoring.accuracy.calibration_error import CalibrationError, calibration_error
from monitoring.accuracy.class_scores import ClassScores, class_scores
from monitoring.accuracy.confusion import accuracy, add_labels, hits, hits_and_rows
from monitoring.accuracy.estimation import Estimate, estimate
from monitoring.accuracy.labels import Labels
from monitoring.accuracy.wilson import Interval, wilson
from monitoring.arrays import FloatArray
from monitoring.counts.layout import Layout, label_layout
from monitoring.tasks.task import Bins, Parts


@dataclass(frozen=True)
class ClassificationScores:
    """`accuracy`, `calibration_error` and `class_scores` are about the labels that arrived in a window, whenever their predictions were
    made; `accuracy_by_prediction_time` about the predictions made in it; `estimated` about the same without any label.
    """

    accuracy: Interval | None
    accuracy_by_prediction_time: Interval | None
    calibration_error: CalibrationError | None
    class_scores: ClassScores
    estimated: Estimate | None


@dataclass(frozen=True)
class Classification:
    """Of `classes`, whose accuracy on held-back rows was `metric`. Without a `calibration` nothing is estimated."""

    classes: tuple[str, ...]
    metric: Metric | None
    calibration: Calibration | None
    measure: Literal["accuracy"] = "accuracy"

    @cached_property
    def label_layout(self) -> Layout:
        return label_layout(len(self.classes))

    @property
    def width(self) -> int:
        return 2

    @property
    def errors(self) -> Bins | None:
        if self.metric is None:
            return None
        wrong = round(self.metric.rows * (1 - self.metric.value))
        return Bins(("right", "wrong"), None, np.array([self.metric.rows - wrong, wrong], dtype=np.float64))

    @property
    def tested(self) -> Interval | None:
        return Interval(self.metric.value, self.metric.lower, self.metric.upper) if self.metric else None

    def read_label(self, label: Any) -> float | None:
        text = label if isinstance(label, str) else str(label)
        return self.classes.index(text) if text in self.classes else None

    def add_labels(self, total: FloatArray, labels: Labels) -> FloatArray:
        return add_labels(self.label_layout, total, labels)

    def sums(self, labels: Labels) -> FloatArray:
        return np.stack([np.ones(len(labels)), hits(labels)], axis=1)

    def figure(self, sums: FloatArray) -> Interval | None:
        labels, right = sums.tolist()
        return wilson(right, labels) if labels else None

    def binned_errors(self, parts: Parts) -> FloatArray:
        right, rows = hits_and_rows(parts)
        return np.array([right, rows - right], dtype=np.float64)

    def estimated(self, answers: FloatArray, parts: Parts) -> Estimate | None:
        return estimate(self.calibration, answers, parts["estimates"]) if self.calibration else None

    def scores(self, labels: Parts, cohort: FloatArray, estimated: Estimate | None) -> ClassificationScores:
        return ClassificationScores(
            accuracy(labels), self.figure(cohort), calibration_error(*labels["calibration"]), class_scores(labels), estimated
        )

    def answers(self, counts: FloatArray) -> dict[str, float]:
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def confusion(self, labels: Parts) -> dict[str, Any] | None:
        return {"classes": self.classes, "counts": labels["confusion"].astype(int).tolist()} if "confusion" in labels else None

    def per_row(self, outputs: FloatArray, labels: NDArray[Any]) -> FloatArray:
        right: FloatArray = (outputs.argmax(axis=1) == labels).astype(np.float64)
        return right
