"""Calibration: confidences that mean what they say, so that their mean says how many answers are right.

Temperature scaling divides all logits by one number T, fitted by the negative log-likelihood of labelled rows; the class that is
answered stays the same. A network's probabilities give its logits up to a constant per row, which cancels:

    q_k = p_k^(1/T) / Σ_j p_j^(1/T),   T minimises −Σ_i ln q_i[label of i]

The sum is convex in 1/T, so bisection of its derivative always finds T.
C. Guo et al., "On calibration of modern neural networks", ICML 2017, arXiv 1706.04599, section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.arrays import Arrays, FloatArray, IntArray

#: No temperature is fitted beyond this or its inverse: a few rows may ask for any.
_MOST_TEMPERATURE = 10.0
#: Halvings of the interval of 1/T: a relative error below 1e-7.
_HALVINGS = 32
_TINY = np.float32(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Calibration:
    """What turns a variant's answers into estimates of its accuracy.

    `temperature` and `threshold` were fitted on `rows` rows that are neither training nor reference rows: as many of them as were
    answered wrongly have a score below the threshold (see `monitoring.accuracy.estimation`). `confusion` (classes, classes) counts the
    reference rows by [actual, predicted].
    """

    temperature: float
    threshold: float
    rows: int
    confusion: IntArray

    @property
    def accuracy(self) -> float:
        """Share of the reference rows that were answered right."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @classmethod
    def fit(cls, probabilities: FloatArray, labels: IntArray, confusion: IntArray) -> Calibration:
        """Fit on answers (n, classes) and labels (n,) of held-back rows."""
        temperature = fit_temperature(probabilities, labels)
        _, scores = calibrated(probabilities, temperature)
        wrong = int(np.count_nonzero(probabilities.argmax(axis=1) != labels))
        return cls(temperature, fit_threshold(scores, wrong), len(labels), confusion)

    def count(self, probabilities: FloatArray) -> FloatArray:
        """What a batch (n, classes) adds to the block `estimates`: the sum of calibrated confidences, and rows from the threshold up.

        A row without a number in it counts as one that is surely wrong.
        """
        confidence, scores = calibrated(probabilities, self.temperature)
        return np.array([np.nansum(confidence, dtype=np.float64), np.count_nonzero(scores >= self.threshold)])

    def to_arrays(self) -> Arrays:
        return {"fitted": np.array([self.temperature, self.threshold, self.rows]), "confusion": self.confusion}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Calibration:
        temperature, threshold, rows = arrays["fitted"].tolist()
        return cls(temperature, threshold, round(rows), arrays["confusion"])


def calibrated(probabilities: FloatArray, temperature: float) -> tuple[FloatArray, FloatArray]:
    """Confidence after scaling, and negative entropy in nats, both (n,), of probabilities (n, classes).

    >>> confidence, score = calibrated(np.array([[0.8, 0.2], [0.5, 0.5]]), 2.0)
    >>> confidence.round(3).tolist(), score.round(3).tolist()
    ([0.667, 0.5], [-0.637, -0.693])
    """
    logits = np.log(np.maximum(probabilities.T, _TINY, order="C"))  # a row a class: sums over classes are several times as fast so
    logits -= logits.max(axis=0)
    logits *= probabilities.dtype.type(1 / temperature)
    weights = np.exp(logits)
    total = weights.sum(axis=0)
    return 1 / total, (weights * logits).sum(axis=0) / total - np.log(total)


def fit_temperature(probabilities: FloatArray, labels: IntArray) -> float:
    """The temperature of answers (n, classes) to rows with `labels` (n,). 1 if none was wrong: nothing is known then.

    >>> answers = np.array([[0.9, 0.1]] * 10)         # says 0.9, but 7 of 10 are right
    >>> round(fit_temperature(answers, np.array([0] * 7 + [1] * 3)), 3)
    2.593
    """
    if not len(labels) or np.array_equal(probabilities.argmax(axis=1), labels):
        return 1.0
    logits = np.log(np.maximum(probabilities.astype(np.float64), _TINY))
    logits -= logits.max(axis=1, keepdims=True)
    target = logits[np.arange(len(labels)), labels].mean()
    lowest, highest = 1 / _MOST_TEMPERATURE, _MOST_TEMPERATURE
    for _ in range(_HALVINGS):
        inverse = (lowest + highest) / 2
        weights = np.exp(inverse * logits)
        expected = ((weights * logits).sum(axis=1) / weights.sum(axis=1)).mean()
        lowest, highest = (inverse, highest) if expected < target else (lowest, inverse)
    return float(2 / (lowest + highest))


def fit_threshold(scores: FloatArray, below: int) -> float:
    """The threshold that as near as can be `below` of the scores (n,) are under: half way between two that differ; the lowest for none.

    >>> fit_threshold(np.array([-0.5, -0.1, -0.2, -0.1]), 2)
    -0.15000000000000002
    """
    values, counts = np.unique(np.asarray(scores, dtype=np.float64), return_counts=True)
    bounds = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, [np.inf]])
    under = np.concatenate([[0], np.cumsum(counts)])
    return float(bounds[np.abs(under - below).argmin()])
