"""Accuracy without labels: what share of the answers are right, judged by the answers alone. Three ways, each with its own blind spot.

confidence   the mean calibrated confidence. Right where confidence stays calibrated. For the class that is answered it is NannyML's
             confidence-based estimate (CBPE) in its multi-class form: the expected hits are the sum of the confidences.
             https://nannyml.readthedocs.io, "Estimation of performance of the monitored model"
threshold    the share of rows whose negative entropy is at least a threshold, below which lay as many held-back rows as were wrong.
             Right where wrong answers stay the unsure ones. S. Garg et al., ICLR 2022, arXiv 2201.04234, section 3.
label_shift  the shares π of the classes that explain what is predicted, μ = Rᵀ π with R[y, p] = P(p predicted | y), and with them the
             accuracy Σ π_y R[y, y]. Right where only the classes come in other shares.
             Z. Lipton et al., ICML 2018, arXiv 1802.03916, section 3.

None of them sees a change of concept, where equal inputs have other labels than before: the answers stay the same. Only labels tell.
Because nobody knows which assumption holds, the *spread* of the three is the uncertainty that is shown.

Standard errors are those of "how many of these n answers would labels call right", and take the rows in that each was fitted on.

>>> calibration = Calibration(1.0, -0.5, 1000, np.array([[95, 5], [10, 90]]))
>>> found = estimate(calibration, np.array([270.0, 30.0]), np.array([276.0, 279.0]))
>>> {name: round(method.value, 3) for name, method in found.methods.items()}, round(found.lower, 3), round(found.upper, 3)
({'confidence': 0.92, 'threshold': 0.93, 'label_shift': 0.947}, 0.881, 0.995)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitoring.accuracy.calibration import Calibration
from monitoring.arrays import FloatArray

METHODS = ("confidence", "threshold", "label_shift")
#: Below so many rows there is no estimate: "not enough data".
ROWS = 50
#: With a larger condition number of R the classes are told apart too badly for this. By simulation the standard error holds up to it;
#: beyond, cutting negative shares off pulls the estimate down.
_MOST_CONDITION = 10.0


@dataclass(frozen=True)
class Method:
    """What one method says, and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Estimate:
    """The methods that have something to say; the median of their values; from the lowest to the highest, two standard errors wider."""

    methods: dict[str, Method]
    value: float
    lower: float
    upper: float


def estimate(calibration: Calibration, predicted: FloatArray, sums: FloatArray) -> Estimate | None:
    """Accuracy of a window: `predicted` (classes,) counts its answers, `sums` is what `Calibration.count` adds up to. None for few rows."""
    rows = float(predicted.sum())
    if rows < ROWS:
        return None
    confident, above = (_share(hits, rows, calibration.rows) for hits in sums.tolist())
    # Which rows are above the threshold and which are right are two shares that both vary.
    found = {"confidence": confident, "threshold": Method(above.value, math.sqrt(2) * above.error)}
    shifted = label_shift(calibration, predicted)
    methods = found | ({"label_shift": shifted} if shifted else {})
    return Estimate(
        methods,
        float(np.median([method.value for method in methods.values()])),
        max(0.0, min(method.value - 2 * method.error for method in methods.values())),
        min(1.0, max(method.value + 2 * method.error for method in methods.values())),
    )


def _share(hits: float, rows: float, fitted_rows: int) -> Method:
    """Two hits and two misses are added for the error, as for the interval of Agresti and Coull: no share is 0 or 1 for certain."""
    share = (hits + 2) / (rows + 4)
    return Method(hits / rows, math.sqrt(share * (1 - share) * (1 / rows + 1 / fitted_rows)))


def label_shift(calibration: Calibration, predicted: FloatArray) -> Method | None:
    """The accuracy if only the shares of the classes have changed. None where the reference does not tell the classes apart well."""
    totals = calibration.confusion.sum(axis=1)
    if not totals.all():
        return None
    answers = calibration.confusion / totals[:, None]
    if np.linalg.cond(answers) > _MOST_CONDITION:
        return None
    rows = float(predicted.sum())
    prior = np.clip(np.linalg.solve(answers.T, predicted / rows), 0, None)
    prior /= prior.sum()
    recall = answers.diagonal()
    variance = _variances(answers, totals)
    return Method(float(prior @ recall), math.sqrt(float((prior * variance / rows + prior**2 * variance / totals).sum())))


def _variances(answers: FloatArray, totals: FloatArray) -> FloatArray:
    """For a row of each class, the variance of hit − h[p]; the estimate is the mean of h[p] over the predicted classes p, R h = recall.

    It is both what the n rows themselves vary by and, by the derivative of the estimate, what each row of R does.
    """
    smoothed = (answers * totals[:, None] + 1 / len(answers)) / (totals[:, None] + 1)
    weights = np.linalg.solve(answers, answers.diagonal())
    errors = np.eye(len(answers)) - weights
    variance: FloatArray = (smoothed * errors**2).sum(axis=1) - (smoothed * errors).sum(axis=1) ** 2
    return variance
