"""What several rules ask: does the network tell its rows apart at all, is it worse than it need be, does it still get better?

All of facts alone. Each works after any epoch and at the end.
"""

from __future__ import annotations

import math

import numpy as np

from monitoring.arrays import FloatArray
from training.diagnosis import thresholds as at
from training.diagnosis.facts import Facts


def train_score(facts: Facts) -> float:
    """Of training rows without dropout: at the end of all rows used, before of the fixed ones; NaN before the first epoch."""
    if facts.end is not None:
        return facts.end.train_score
    return float(facts.curves.fixed_score[-1]) if facts.curves is not None and len(facts.curves.fixed_score) else math.nan


def validation_score(facts: Facts) -> float:
    if facts.end is not None:
        return facts.end.validation_score
    return float(facts.curves.validation_score[-1]) if facts.curves is not None and len(facts.curves.validation_score) else math.nan


def standard_error(score: float, rows: int, task: str) -> float:
    """Of an accuracy over so many rows; that of an R² is taken as that of a correlation, 2 (1 − R²) √R² / √n, at least 0.02."""
    if task == "classification":
        return math.sqrt(max(score * (1 - score), 0.01) / max(rows, 1))
    return max(0.02, 2 * (1 - max(min(score, 1.0), 0.0)) / math.sqrt(max(rows, 1)))


def poor(facts: Facts) -> bool:
    """Training and validation rows are told worse than neighbours or ridge regression tell validation rows."""
    return _short(facts, train_score(facts)) and _short(facts, validation_score(facts))


def poor_on_training(facts: Facts) -> bool:
    """Training rows are told worse than neighbours or ridge regression tell rows that they have not seen."""
    return _short(facts, train_score(facts))


def far_below(facts: Facts) -> bool:
    """As poor, by so much that it cannot be the luck of the draw."""
    return all(_short(facts, score, at.FAR_BELOW) for score in (train_score(facts), validation_score(facts)))


def _short(facts: Facts, score: float, times: float = 1.0) -> bool:
    data = facts.data
    margin = times * (at.POOR if data.task == "classification" else at.POOR_R2)
    wanted = data.reference.best
    return not score >= wanted - margin - 2 * standard_error(wanted, data.validation_rows, data.task)  # NaN is poor


def tells_nothing(facts: Facts) -> bool:
    """Training rows are told no better than by always saying the commonest class, or the mean."""
    data, score = facts.data, train_score(facts)
    if data.task == "regression":
        return not score > 0.05
    commonest = float(data.train_counts.max() / max(data.train_counts.sum(), 1))
    rows = facts.end.train_rows if facts.end is not None else at.FIXED_ROWS
    return not score > commonest + at.TELLS_NOTHING_Z * standard_error(commonest, rows, data.task)


def diverged(facts: Facts) -> bool:
    """The loss is no number any more."""
    if facts.end is not None and facts.end.stopped_at is not None:
        return True
    return facts.curves is not None and bool(len(facts.curves.loss)) and not bool(np.isfinite(facts.curves.loss).all())


def early_steps(facts: Facts) -> FloatArray:
    """Median ‖Δw‖ / ‖w‖ of each kernel over the first third of the trace, (kernels,)."""
    trace = facts.trace
    if trace is None or not len(trace.steps) or not len(trace.kernels):
        return np.empty(0)
    ratios = trace.ratios[: max(3, len(trace.steps) // 3)]
    medians: FloatArray = np.nanmedian(np.where(np.isfinite(ratios), ratios, np.inf), axis=0)
    return medians


def relative_fall(values: FloatArray, share: float = 0.2) -> float:
    """By what share the median of the last part of a curve lies below that of the part before it."""
    count = max(1, round(len(values) * share))
    if len(values) < 2 * count:
        return 1.0
    before, after = float(np.median(values[-2 * count : -count])), float(np.median(values[-count:]))
    return (before - after) / max(abs(before), 1e-12)
