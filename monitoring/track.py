"""A track: what is remembered of one subject from tick to tick, and how a tick moves it on. Pure: time and counts are handed in.

Whoever wants to look moves the track on to now and looks; only the leader keeps what came of it. So there is one mechanism, and a
reader is never behind the counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from monitoring.accuracy.labels import Labels
from monitoring.arrays import Arrays, FloatArray
from monitoring.drift.alarm import Promise, Vigil
from monitoring.drift.evidence import Evidence
from monitoring.drift.streams import streams_of, totals
from monitoring.subject import Subject
from monitoring.windows import Cohorts, History


@dataclass(frozen=True)
class Track:
    """`counts` and `labels` are totals by now, laid out as the subject says; `history` holds past ones of both, side by side.

    `vigil` is where the evidence for a change stood at the last tick.
    """

    counts: FloatArray
    labels: FloatArray
    history: History
    cohorts: Cohorts
    moved_at: float
    vigil: Vigil

    @classmethod
    def start(cls, subject: Subject, now: float) -> Track:
        counts, labels = np.zeros(subject.layout.size), np.zeros(subject.task.label_layout.size)
        vigil = Vigil.start(streams_of(subject), now, totals(subject, counts, labels))
        return cls(counts, labels, History.empty(len(counts) + len(labels)), Cohorts.empty(subject.task.width), 0.0, vigil)

    def fits(self, subject: Subject) -> bool:
        """Whether it was laid out as the subject is: another release of the program may count other things."""
        task = subject.task
        sizes = len(self.counts), len(self.labels), self.cohorts.counts.shape[1]
        return sizes == (subject.layout.size, task.label_layout.size, 1 + task.width) and self.vigil.evidence.fits(streams_of(subject))

    def advance(self, subject: Subject, now: float, counts: FloatArray, labels: Labels) -> Track:
        """The track at `now`, with the total `counts` and the `labels` that came since it was last moved."""
        labelled = subject.task.add_labels(self.labels, labels)
        fresh = predictions(subject, counts) - predictions(subject, self.counts)
        return Track(
            counts,
            labelled,
            self.history.record(now, np.concatenate([counts, labelled])),
            self.cohorts.add(max(fresh, 0.0), now, labels.predicted_at, subject.task.sums(labels)),
            now if fresh or len(labels) or not self.moved_at else self.moved_at,
            self.vigil,
        )

    def weigh(self, subject: Subject, promise: Promise, now: float, seen: bool) -> Track:
        """With the evidence of what came since the last tick. The track was moved on to `now` before."""
        total, lately = totals(subject, self.counts, self.labels), None
        if seen and self.vigil.alarm:  # the later half of the time since the alarm
            raised_at = self.vigil.alarm.raised_at
            lately = totals(subject, *self.increase(now, (now - raised_at) / 2, not_before=raised_at))
        return replace(self, vigil=self.vigil.advance(streams_of(subject), promise, now, total, seen, lately))

    def increase(self, now: float, seconds: float, not_before: float = -math.inf) -> tuple[FloatArray, FloatArray]:
        """Counts and labels of the last `seconds`, of which nothing before `not_before`."""
        both = self.history.increase(now, np.concatenate([self.counts, self.labels]), seconds, not_before)
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
            "alarm": np.frombuffer(self.vigil.to_text().encode(), np.uint8),
            **{f"evidence/{name}": value for name, value in self.vigil.evidence.to_arrays().items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Track:
        return cls(
            arrays["counts"],
            arrays["labels"],
            History(arrays["times"], arrays["totals"]),
            Cohorts(arrays["cohort_numbers"], arrays["cohort_counts"]),
            float(arrays["moved_at"]),
            Vigil.from_text(arrays["alarm"].tobytes().decode(), Evidence.from_arrays(_within(arrays, "evidence/"))),
        )


def _within(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def predictions(subject: Subject, counts: FloatArray) -> float:
    """Rows answered."""
    return float(subject.answered(counts).sum())
