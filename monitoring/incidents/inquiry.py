"""The inquiry: an alarm, and what is remembered of its subject, become an incident. Pure: time, counts and exhibits are handed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitoring.accuracy.estimation import Estimate
from monitoring.accuracy.wilson import Interval
from monitoring.arrays import FloatArray
from monitoring.drift.alarm import Alarm, Promise
from monitoring.drift.streams import ERROR, streams_of, totals
from monitoring.incidents.case import Case, Check
from monitoring.incidents.direction import bin_names, moved_shares, moved_values
from monitoring.incidents.incident import FORMAT, Accuracy, Incident, Signal
from monitoring.incidents.verdict import verdict
from monitoring.signals.answered import CLASSES
from monitoring.signals.columns import is_column
from monitoring.signals.measure import QUALITY_CHECKS
from monitoring.subject import Subject
from monitoring.track import Track, predictions

#: How long before the change the traffic is that it is compared with, and how many rows there must be for that.
_BEFORE_SECONDS, _ROWS_BEFORE = 3600.0, 500
#: Labels of predictions this old still say how right the model was before.
_LABELS_SECONDS = 86400.0
_REFUSING = ("type", "shape", "not_finite")


@dataclass(frozen=True)
class Inquiry:
    """What is known at `now` of a subject with an alarm. The track was moved on to `now`."""

    subject: Subject
    track: Track
    alarm: Alarm
    now: float

    @cached_property
    def since(self) -> tuple[FloatArray, FloatArray]:
        """Counts and labels since the change began."""
        return self.track.increase(self.now, self.now - self.alarm.since, not_before=self.alarm.since)

    @cached_property
    def before(self) -> tuple[FloatArray, FloatArray]:
        """Counts and labels of the time before that."""
        longer = self.track.increase(self.now, self.now - self.alarm.since + _BEFORE_SECONDS)
        return longer[0] - self.since[0], longer[1] - self.since[1]

    @cached_property
    def rows(self) -> int:
        """Predictions since the change began."""
        return round(predictions(self.subject, self.since[0]))

    @property
    def labels(self) -> int:
        """How many of them have a label by now."""
        return round(float(self.track.cohorts.labelled(self.alarm.since, self.now)[0]))

    @cached_property
    def labelled(self) -> Interval | None:
        """How right the predictions since the change are, by the labels they have by now."""
        return self.subject.task.figure(self.track.cohorts.labelled(self.alarm.since, self.now))

    @cached_property
    def estimated(self) -> Estimate | None:
        """The same without labels."""
        return self.subject.estimated(self.since[0])

    @cached_property
    def case(self) -> Case:
        """What the verdict is given by."""
        streams = streams_of(self.subject)
        return Case(
            self.subject.reference,
            self._normal(),
            self._signals(self.since),
            dict(zip(streams.names, self.track.vigil.evidence.overdispersion.tolist(), strict=True)),
            frozenset(self.alarm.signals),
            self._checks(),
            tuple(self.subject.manifest.classes),
            self.estimated,
            self.labelled,
            self._accuracy().before,
        )

    def incident(self, name: str, promise: Promise) -> Incident:
        """All of it together, known by `name`."""
        return Incident(
            FORMAT,
            name,
            self.subject.manifest.name,
            self.subject.manifest.version,
            self.subject.variant,
            self.alarm.raised_at,
            self.alarm.since,
            self.now,
            self.rows,
            self.rows,
            promise.days_between_false_alarms,
            self.subject.reference.rows,
            verdict(self.case),
            self._accuracy(),
            self._all_signals(),
            (),
        )

    def _signals(self, counts: tuple[FloatArray, FloatArray]) -> FloatArray:
        """Rows in the bins of all signals, as evidence counts them."""
        return totals(self.subject, *counts)[: len(self._reference)]

    @cached_property
    def _reference(self) -> FloatArray:
        return np.concatenate([profile.counts for profile in self.subject.reference.profiles.values()]).astype(np.float64)

    def _normal(self) -> FloatArray:
        """The reference; if something else was normal already, what came before the change, if it was enough."""
        before = self._signals(self.before)
        enough = self.subject.reference.answers(before).sum() >= _ROWS_BEFORE
        return before if self.track.vigil.adapted and enough else self._reference

    def _checks(self) -> dict[str, Check]:
        reference, layout = self.subject.reference, self.subject.layout
        before, since = (
            dict(zip(QUALITY_CHECKS, layout.split(counts)["quality"].tolist(), strict=True)) for counts, _ in (self.before, self.since)
        )
        all_before, all_since = (predictions(self.subject, counts) for counts, _ in (self.before, self.since))
        found = {check: Check(before[check], all_before + before[check], since[check], all_since + since[check]) for check in _REFUSING}
        rows_before, rows = (self.subject.watched(counts) for counts, _ in (self.before, self.since))
        if rows_before >= _ROWS_BEFORE:  # the reference rows all differ, which no traffic has to
            found["duplicate"] = Check(before["duplicate"], rows_before, since["duplicate"], rows)
        for check in ("range", "constant"):
            held_back = reference.quality.get(check, 0)
            found[check] = Check(before[check] + held_back, rows_before + reference.rows, since[check], rows)
        return found

    def _accuracy(self) -> Accuracy:
        task = self.subject.task
        by_labels = task.figure(self.track.cohorts.labelled(self.alarm.since - _LABELS_SECONDS, self.alarm.since))
        before = by_labels or task.tested
        return Accuracy(before, by_labels is not None, self.estimated, self.labelled, self.labels, task.measure)

    def _all_signals(self) -> tuple[Signal, ...]:
        streams, evidence = streams_of(self.subject), self.track.vigil.evidence
        reference, before, since = (
            np.split(counts, streams.starts[1:])
            for counts in (streams.reference, totals(self.subject, *self.before), totals(self.subject, *self.since))
        )
        shown = zip(streams.names, evidence.log_evidence.tolist(), evidence.overdispersion.tolist(), reference, before, since, strict=True)
        return tuple(self._signal(*parts) for parts in shown)

    def _signal(self, name: str, log: float, overdispersion: float, *counts: FloatArray) -> Signal:
        names, edges = self._bins(name)
        reference, _, since = counts
        strongest = max(log, self.alarm.signals.get(name, -math.inf))
        return Signal(
            name,
            name in self.alarm.signals,
            strongest if math.isfinite(strongest) else None,
            overdispersion,
            moved_shares(names, reference, since) if edges is None else moved_values(edges, reference, since),
            names,
            *(tuple(round(max(0.0, count)) for count in part.tolist()) for part in counts),
        )

    def _bins(self, name: str) -> tuple[tuple[str, ...], FloatArray | None]:
        """What lies in each bin of a stream, and its inner edges if it is a quantity."""
        profiles, columns = self.subject.reference.profiles, self.subject.reference.fitted.columns
        if name == ERROR and (errors := self.subject.task.errors):
            return errors.names if errors.edges is None else bin_names(errors.edges), errors.edges
        if name not in profiles:
            return ("passed", "failed"), None
        if name == CLASSES.name:
            return tuple(self.subject.manifest.classes), None
        known = columns.categories.get(name.partition(":")[2]) if columns and is_column(name) else None
        if known is not None:
            return (*map(str, known.tolist()), "unseen", "missing"), None
        return bin_names(profiles[name].edges), profiles[name].edges
