"""The streams of a subject: everything that evidence is gathered on, as counts side by side.

Each signal with its bins; each check of the data, as rows that passed and rows that failed; and the errors of labelled answers, in the bins
that the task has for them.
Repeated rows are not counted as rows of a signal here, since they say nothing new.
"""

from __future__ import annotations

import numpy as np

from monitoring.arrays import FloatArray
from monitoring.drift.evidence import Streams
from monitoring.signals.answered import CLASSES
from monitoring.signals.measure import QUALITY_CHECKS
from monitoring.subject import Subject

#: The checks that only count and that speak of the data. A row that comes again says nothing about the data, only about the client.
_CHECKS = ("range", "constant")
#: The stream of errors, by labels.
ERROR = "error"


def streams_of(subject: Subject) -> Streams:
    """The streams with what the held-back rows gave in each."""
    reference = subject.reference
    parts: dict[str, FloatArray] = {name: profile.counts.astype(np.float64) for name, profile in reference.profiles.items()}
    for check in _checks(subject):
        parts[check] = _good_and_bad(reference.rows, reference.quality[check])
    if errors := subject.task.errors:
        parts[ERROR] = errors.counts
    columns = reference.fitted.columns
    unordered = {CLASSES.name, *(columns.unordered if columns else ())}
    widths = [len(part) for part in parts.values()]
    return Streams(
        tuple(parts),
        np.cumsum([0, *widths[:-1]]),
        np.concatenate(list(parts.values())),
        np.array([name not in reference.profiles for name in parts]),
        np.array([name not in unordered for name in parts]),
    )


def totals(subject: Subject, counts: FloatArray, labels: FloatArray) -> FloatArray:
    """The totals of all streams (bins,), from those of a track."""
    parts = subject.layout.split(counts)
    new = parts["signals"] - parts["repeated"]
    quality = dict(zip(QUALITY_CHECKS, parts["quality"].tolist(), strict=True))
    rows = subject.watched(counts)
    others = [_good_and_bad(rows, quality[check]) for check in _checks(subject)]
    if subject.task.errors:
        others.append(subject.task.binned_errors(subject.task.label_layout.split(labels)))
    return np.concatenate([new, *others])


def _checks(subject: Subject) -> list[str]:
    return [check for check in _CHECKS if check in subject.reference.quality]


def _good_and_bad(rows: float, bad: float) -> FloatArray:
    return np.array([rows - bad, bad], dtype=np.float64)
