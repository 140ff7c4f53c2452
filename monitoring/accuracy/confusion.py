"""Accuracy from labelled predictions: hits and rows, whole or per class, out of what `label_layout` adds up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.accuracy.calibration_error import BINS, calibration_bins
from monitoring.accuracy.labels import Labels
from monitoring.accuracy.wilson import Interval, wilson
from monitoring.arrays import FloatArray
from monitoring.counts.layout import DELAY_BOUNDS, Layout, observe


def hits(labels: Labels) -> NDArray[np.bool_]:
    """Which of the answers the labels say were right."""
    right: NDArray[np.bool_] = labels.predicted == labels.actual
    return right


def add_labels(layout: Layout, total: FloatArray, labels: Labels) -> FloatArray:
    """The total with these labels counted.

    >>> from monitoring.counts.layout import label_layout
    >>> layout = label_layout(2); one = np.array([1]); now = np.array([9.0])
    >>> layout.split(add_labels(layout, np.zeros(layout.size), Labels(one, one - 1, now, now, now / 10)))["confusion"].tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    total = total.copy()
    parts = layout.split(total)
    predicted, actual, right = labels.predicted.astype(np.int64), labels.actual.astype(np.int64), hits(labels)
    if "confusion" in parts:
        np.add.at(parts["confusion"], (actual, predicted), 1)
    else:
        for row, classes in enumerate((actual[right], predicted[~right], actual[~right])):
            np.add.at(parts["outcomes"][row], classes, 1)
    observe(parts, "delay", DELAY_BOUNDS, np.maximum(labels.labelled_at - labels.predicted_at, 0))
    bins = calibration_bins(labels.confidence)
    for row, weights in enumerate((None, right, labels.confidence)):
        parts["calibration"][row] += np.bincount(bins, weights, BINS)
    return total


def hits_and_rows(parts: dict[str, NDArray[Any]]) -> tuple[float, float]:
    """How many labelled predictions were right, and how many there were."""
    if "confusion" in parts:
        return float(np.trace(parts["confusion"])), float(parts["confusion"].sum())
    true, _, missed = parts["outcomes"].sum(axis=1)
    return float(true), float(true + missed)


def accuracy(parts: dict[str, NDArray[Any]]) -> Interval | None:
    """Accuracy with its Wilson interval, or None without labels."""
    hits, rows = hits_and_rows(parts)
    return wilson(hits, rows) if rows else None
