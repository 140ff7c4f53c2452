"""Values: how far off they are, and how often their interval holds the truth. Nothing tells that without labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.manifest import Metric
from monitoring.accuracy.conformal import Residuals
from monitoring.accuracy.estimation import Estimate
from monitoring.accuracy.labels import Labels
from monitoring.accuracy.regression import Errors, errors, row_sums
from monitoring.accuracy.wilson import Interval
from monitoring.arrays import FloatArray
from monitoring.counts.layout import DELAY_BOUNDS, Layout, histogram, observe
from monitoring.signals.binning import bin_counts
from monitoring.tasks.task import Bins, Parts

#: An error counts as at most so many times the half-width of the interval.
_ABSURD = 1000.0
#: Beyond what a model can answer, no label is one.
_MOST_VALUE = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class RegressionScores:
    """`errors` of the labels that arrived in a window, and of the predictions made in it as far as they have labels by now."""

    errors: Errors | None
    errors_by_prediction_time: Errors | None


@dataclass(frozen=True)
class Regression:
    """Of values whose absolute error on held-back rows was `metric` in the mean; `residuals` say how the errors were distributed."""

    metric: Metric | None
    residuals: Residuals | None
    measure: Literal["mae"] = "mae"

    @cached_property
    def label_layout(self) -> Layout:
        """`errors`: what `row_sums` gives, added up; `error_bins`: rows in the bins of the residuals."""
        bins = {"error_bins": (len(self.residuals.counts),)} if self.residuals else {}
        return Layout({"errors": (5,), **bins, **histogram("delay", DELAY_BOUNDS)})

    @property
    def width(self) -> int:
        return 5

    @property
    def errors(self) -> Bins | None:
        if self.residuals is None:
            return None
        return Bins((), self.residuals.edges, self.residuals.counts.astype(np.float64))

    @property
    def tested(self) -> Interval | None:
        return Interval(self.metric.value, self.metric.lower, self.metric.upper) if self.metric else None

    def read_label(self, label: Any) -> float | None:
        """A finite number, no larger than a model can answer, or the text of one."""
        if isinstance(label, bool) or not isinstance(label, int | float | str):
            return None
        try:
            number = float(label)
        except (ValueError, OverflowError):
            return None
        return number if abs(number) <= _MOST_VALUE else None  # which NaN is not

    def add_labels(self, total: FloatArray, labels: Labels) -> FloatArray:
        total = total.copy()
        parts = self.label_layout.split(total)
        parts["errors"] += self.sums(labels).sum(axis=0)
        if self.residuals:
            parts["error_bins"] += bin_counts(np.abs(labels.predicted - labels.actual), self.residuals.edges)
        observe(parts, "delay", DELAY_BOUNDS, np.maximum(labels.labelled_at - labels.predicted_at, 0))
        return total

    def sums(self, labels: Labels) -> FloatArray:
        half = self.residuals.half_width if self.residuals else math.inf
        return row_sums(labels.predicted, labels.actual, labels.predicted - half, labels.predicted + half, self._most)

    def figure(self, sums: FloatArray) -> Interval | None:
        found = errors(sums)
        return found.mae if found else None

    def binned_errors(self, parts: Parts) -> FloatArray:
        binned: FloatArray = parts["error_bins"]
        return binned

    def estimated(self, answers: FloatArray, parts: Parts) -> Estimate | None:
        return None

    def scores(self, labels: Parts, cohort: FloatArray, estimated: Estimate | None) -> RegressionScores:
        return RegressionScores(self._errors(labels["errors"]), self._errors(cohort))

    def _errors(self, sums: FloatArray) -> Errors | None:
        """Without an interval, how often it holds the truth means nothing."""
        found = errors(sums)
        known = self.residuals is not None and self.residuals.interval is not None
        return found if known or found is None else replace(found, coverage=None)

    @cached_property
    def _most(self) -> float:
        """What an error counts as at most: a label may well be in another unit; one that is off by a thousand times as much is absurd."""
        usual = self.residuals.interval if self.residuals else None
        return _ABSURD * usual if usual else math.inf

    def answers(self, counts: FloatArray) -> dict[str, float]:
        return {"": float(counts.sum())}

    def confusion(self, labels: Parts) -> dict[str, Any] | None:
        return None

    def per_row(self, outputs: FloatArray, labels: NDArray[Any]) -> FloatArray:
        absolute: FloatArray = np.abs(outputs[:, 0].astype(np.float64) - labels)
        return absolute
