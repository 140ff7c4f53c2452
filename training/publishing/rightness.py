"""How right the answers to the test rows are, for the model card: of classes which are confused, of values how far off they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.publishing.confusion import MANY_CLASSES, heat
from training.publishing.evaluate import Score, ValueScore
from training.publishing.scatter import scatter

#: Shares of the rows of whose errors the card tells the most.
_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


def rightness(labels: tuple[str, ...], score: Score | ValueScore) -> dict[str, Any]:
    """The variables of the page. Those of the other task are None."""
    if isinstance(score, ValueScore):
        return {"classes": None, "confusion": None, "mistakes": None, "errors": _errors(score)}
    confusion = heat(score.confusion) if len(labels) <= MANY_CLASSES else None
    return {"classes": _classes(labels, score), "confusion": confusion, "mistakes": _mistakes(labels, score), "errors": None}


def _errors(score: ValueScore) -> dict[str, Any]:
    """A chart; (share, the absolute error that as many rows stay within); the mean error; and the share of the variance explained."""
    residuals, spread = score.residuals, float(score.actual.var())
    limits = np.quantile(np.abs(residuals), _QUANTILES, method="higher").tolist()
    return {
        "chart": scatter(score.actual, score.outputs[:, 0].astype(np.float64)),
        "quantiles": list(zip(_QUANTILES, limits, strict=True)),
        "bias": float(residuals.mean()),
        "explained": 1 - float((residuals**2).mean()) / spread if spread else None,
    }


def _classes(labels: tuple[str, ...], score: Score) -> list[tuple[str, int, float, float]]:
    """Label, test rows, precision and recall of each class."""
    rows = score.confusion.sum(axis=1)
    return [(label, int(rows[i]), float(score.precision[i]), float(score.recall[i])) for i, label in enumerate(labels)]


def _mistakes(labels: tuple[str, ...], score: Score, count: int = 3) -> list[tuple[str, str, int]]:
    """The commonest mistakes: what it was, what it was taken for, how often."""
    cells = [
        (int(score.confusion[actual, predicted]), labels[actual], labels[predicted])
        for actual in range(len(labels))
        for predicted in range(len(labels))
        if actual != predicted and score.confusion[actual, predicted]
    ]
    return [(actual, predicted, times) for times, actual, predicted in sorted(cells, key=lambda cell: -cell[0])[:count]]
