"""A track: what is remembered of one subject from tick to tick, and how a tick moves it on. Pure: time and counts are handed in.

Whoever wants to look moves the track on to now and looks; only the leader keeps what came of it. So there is one mechanism, and a
reader is never behind the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitoring.arrays import Arrays, FloatArray
from monitoring.confusion import Labels, add_labels
from monitoring.subject import Subject
from monitoring.windows import Cohorts, History


@dataclass(frozen=True)
class Track:
    """`counts` and `labels` are totals by now, laid out as the subject says; `history` holds past ones of both, side by side."""

    counts: FloatArray
    labels: FloatArray
    history: History
    cohorts: Cohorts
    moved_at: float

    @classmethod
    def start(cls, subject: Subject) -> Track:
        sizes = subject.layout.size, subject.label_layout.size
        return cls(np.zeros(sizes[0]), np.zeros(sizes[1]), History.empty(sum(sizes)), Cohorts.empty(), 0.0)

    def advance(self, subject: Subject, now: float, counts: FloatArray, labels: Labels) -> Track:
        """The track at `now`, with the total `counts` and the `labels` that came since it was last moved."""
        labelled = add_labels(subject.label_layout, self.labels, labels)
        fresh = predictions(subject, counts) - predictions(subject, self.counts)
        return Track(
            counts,
            labelled,
            self.history.record(now, np.concatenate([counts, labelled])),
            self.cohorts.add(max(fresh, 0.0), now, labels.predicted_at),
            now if fresh or len(labels) or not self.moved_at else self.moved_at,
        )

    def increase(self, now: float, seconds: float) -> tuple[FloatArray, FloatArray]:
        """Counts and labels of the last `seconds`."""
        both = self.history.increase(now, np.concatenate([self.counts, self.labels]), seconds)
        return both[: len(self.counts)], both[len(self.counts) :]

    def to_arrays(self) -> Arrays:
        return {
            "counts": self.counts,
            "labels": self.labels,
            "times": self.history.times,
            "totals": self.history.totals,
            "cohort_numbers": self.cohorts.numbers,
            "cohort_counts": self.cohorts.counts,
            "moved_at": np.array(self.moved_at),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Track:
        return cls(
            arrays["counts"],
            arrays["labels"],
            History(arrays["times"], arrays["totals"]),
            Cohorts(arrays["cohort_numbers"], arrays["cohort_counts"]),
            float(arrays["moved_at"]),
        )


def predictions(subject: Subject, counts: FloatArray) -> float:
    """Rows answered: every row has exactly one predicted class."""
    return float(subject.reference.split(subject.layout.split(counts)["signals"])["class"].sum())
