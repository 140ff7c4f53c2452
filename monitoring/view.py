"""What is shown: windows of a track as small typed values, and as the JSON of /monitor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from monitoring.accuracy.delay import Delay, delay
from monitoring.accuracy.labels import labelled_rows
from monitoring.arrays import FloatArray
from monitoring.counts.layout import DELAY_BOUNDS
from monitoring.drift.alarm import Promise, Vigil
from monitoring.drift.psi import enough, psi, psi_limit
from monitoring.drift.streams import streams_of
from monitoring.incidents.files import incident_name
from monitoring.reference import Reference
from monitoring.signals.columns import is_column, missing
from monitoring.subject import Subject
from monitoring.tasks.classification import ClassificationScores
from monitoring.tasks.regression import RegressionScores
from monitoring.track import Track, predictions
from monitoring.windows import WINDOWS


@dataclass(frozen=True)
class Drift:
    """One signal in one window against the reference. Without enough rows there is neither value nor limit."""

    signal: str
    statistic: str
    value: float | None
    limit: float | None
    rows: int
    state: Literal["ok", "over", "not enough data"]


@dataclass(frozen=True)
class ColumnShares:
    """Of the rows of a column of a table: the share without a value, and that with a category training did not know; None for numbers."""

    name: str
    missing: float
    unseen: float | None


@dataclass(frozen=True)
class Window:
    """What is known of the last `seconds`. None is "not enough data", never 0.

    `watched` are the predictions that drift, data quality and the estimates of accuracy speak of.
    `labels` and `label_delay` are about the labels that arrived in the window, whenever their predictions were made; `coverage` about the
    predictions made in it, as far as they have labels by now; `scores` are those of the task.
    """

    seconds: float
    predictions: int
    watched: int
    labels: int
    coverage: float | None
    label_delay: Delay | None
    scores: ClassificationScores | RegressionScores
    drift: tuple[Drift, ...]
    columns: tuple[ColumnShares, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the scores of the task beside all else."""
        whole = dataclasses.asdict(self)
        scores: dict[str, Any] = whole.pop("scores")
        return whole | scores


def windows(subject: Subject, track: Track, now: float) -> dict[str, Window]:
    """Every window of a track that was moved on to `now`."""
    return {name: _window(subject, track, now, seconds) for name, seconds in WINDOWS.items()}


def _window(subject: Subject, track: Track, now: float, seconds: float) -> Window:
    (counts, labels), task = track.increase(now, seconds), subject.task
    parts = task.label_layout.split(labels)
    return Window(
        seconds,
        round(predictions(subject, counts)),
        round(subject.watched(counts)),
        round(labelled_rows(parts)),
        track.cohorts.coverage(now, seconds),
        delay(DELAY_BOUNDS, parts["delay"], float(parts["delay_sum"][0])),
        task.scores(parts, track.cohorts.lately(now, seconds), subject.estimated(counts)),
        tuple(_drift(subject, counts)),
        tuple(_columns(subject.reference, subject.layout.split(counts)["signals"])),
    )


def _columns(reference: Reference, signals: FloatArray) -> Iterator[ColumnShares]:
    columns = reference.fitted.columns
    for name, counts in reference.split(signals).items() if columns else ():
        if columns and is_column(name) and counts.any():
            column = name.partition(":")[2]
            known = columns.categories[column] is not None
            yield ColumnShares(column, missing(counts), columns.unseen(name, counts) if known else None)


def _drift(subject: Subject, counts: Any) -> list[Drift]:
    parts = subject.layout.split(counts)
    live = subject.reference.split(parts["signals"])
    found = []
    for name, profile in subject.reference.profiles.items():
        rows, bins = float(live[name].sum()), len(profile.counts)
        if not enough(bins, rows):
            found.append(Drift(name, "psi", None, None, round(rows), "not enough data"))
            continue
        value, limit = psi(profile.counts, live[name]), psi_limit(bins, subject.reference.rows, rows)
        found.append(Drift(name, "psi", value, limit, round(rows), "over" if value > limit else "ok"))
    return [*found, _embedding(subject.reference, parts["waves"])] if "waves" in parts else found


def _embedding(reference: Reference, waves: Any) -> Drift:
    rows, moments = float(waves[0]), reference.moments
    if moments is None or not moments.enough(reference.rows, rows):
        return Drift("embedding", "mmd", None, None, round(rows), "not enough data")
    value, limit = moments.distance(rows, waves[1:]), moments.limit(reference.rows, rows)
    return Drift("embedding", "mmd", value, limit, round(rows), "over" if value > limit else "ok")


def monitor(subject: Subject, track: Track, promise: Promise, now: float) -> dict[str, Any]:
    """The JSON of /monitor for one subject."""
    shown = windows(subject, track, now)
    answered = subject.task.answers(subject.answered(track.counts))
    labels = subject.task.label_layout.split(track.labels)
    return {
        "model": subject.manifest.name,
        "version": str(subject.manifest.version),
        "variant": subject.variant,
        "task": subject.manifest.task,
        "kind": subject.manifest.input.kind,
        "classes": subject.manifest.classes,
        "time": now,
        "reference_rows": subject.reference.rows,
        "windows": {name: window.to_dict() for name, window in shown.items()},
        "alarm": _alarm(subject, track.vigil),
        "alarms": _alarms(subject, track.vigil, promise),
        "evidence": {
            "log_level_warning": promise.log_warning,
            "log_level_alarm": promise.log_alarm,
            "days_between_false_alarms": promise.days_between_false_alarms,
            "log_evidence": finite(float(track.vigil.evidence.log_total)),
        },
        "totals": {
            "predictions": {label or "all": round(rows) for label, rows in answered.items()},
            "feedback": {"matched": round(labelled_rows(labels))},
        },
        "confusion": subject.task.confusion(labels),
    }


def _alarm(subject: Subject, vigil: Vigil) -> dict[str, Any] | None:
    """The alarm that stands until somebody has seen it."""
    if vigil.alarm is None:
        return None
    return {"incident": incident_name(subject.key, vigil.alarm), **dataclasses.asdict(vigil.alarm)}


def _alarms(subject: Subject, vigil: Vigil, promise: Promise) -> list[dict[str, Any]]:
    """Each signal that shows the alarm, or would be a warning by itself."""
    streams, evidence = streams_of(subject), vigil.evidence
    severities = {name: vigil.signal_severity(name, streams, promise) for name in streams.names}
    return [
        {"signal": name, "severity": severity, "log_evidence": finite(log_evidence), "overdispersion": overdispersion}
        for (name, severity), log_evidence, overdispersion in zip(
            severities.items(), evidence.log_evidence.tolist(), evidence.overdispersion.tolist(), strict=True
        )
        if severity != "ok"
    ]


def finite(logarithm: float) -> float | None:
    """None for the logarithm of nothing, which JSON has no number for."""
    return logarithm if math.isfinite(logarithm) else None
