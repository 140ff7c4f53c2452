"""What is shown: windows of a track as small typed values, and as the JSON of /monitor."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from monitoring.accuracy.calibration_error import CalibrationError, calibration_error
from monitoring.accuracy.class_scores import ClassScores, class_scores
from monitoring.accuracy.confusion import accuracy, hits_and_rows
from monitoring.accuracy.delay import Delay, delay
from monitoring.accuracy.estimation import Estimate, estimate
from monitoring.accuracy.wilson import Interval
from monitoring.arrays import FloatArray
from monitoring.counts.layout import DELAY_BOUNDS
from monitoring.drift.alarm import Promise, Vigil
from monitoring.drift.psi import enough, psi, psi_limit
from monitoring.drift.streams import streams_of
from monitoring.incidents.files import incident_name
from monitoring.reference import Reference
from monitoring.subject import Subject
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
class Window:
    """What is known of the last `seconds`. None is "not enough data", never 0.

    `labels`, `accuracy`, `label_delay`, `calibration_error` and `class_scores` are about the labels that arrived in the window, whenever
    their predictions were made; `coverage` and `accuracy_by_prediction_time` about the predictions made in it, as far as they have labels
    by now; `estimated` about the same predictions without any label.
    """

    seconds: float
    predictions: int
    labels: int
    accuracy: Interval | None
    coverage: float | None
    accuracy_by_prediction_time: Interval | None
    label_delay: Delay | None
    calibration_error: CalibrationError | None
    class_scores: ClassScores
    estimated: Estimate | None
    drift: tuple[Drift, ...]


def windows(subject: Subject, track: Track, now: float) -> dict[str, Window]:
    """Every window of a track that was moved on to `now`."""
    return {name: _window(subject, track, now, seconds) for name, seconds in WINDOWS.items()}


def _window(subject: Subject, track: Track, now: float, seconds: float) -> Window:
    counts, labels = track.increase(now, seconds)
    parts = subject.label_layout.split(labels)
    return Window(
        seconds,
        round(predictions(subject, counts)),
        round(hits_and_rows(parts)[1]),
        accuracy(parts),
        track.cohorts.coverage(now, seconds),
        track.cohorts.accuracy(now, seconds),
        delay(DELAY_BOUNDS, parts["delay"], float(parts["delay_sum"][0])),
        calibration_error(*parts["calibration"]),
        class_scores(parts),
        _estimate(subject, counts),
        tuple(_drift(subject, counts)),
    )


def _estimate(subject: Subject, counts: FloatArray) -> Estimate | None:
    calibration, parts = subject.reference.calibration, subject.layout.split(counts)
    return estimate(calibration, subject.reference.split(parts["signals"])["class"], parts["estimates"]) if calibration else None


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
    classes = subject.manifest.classes
    answered = subject.reference.split(subject.layout.split(track.counts)["signals"])["class"]
    labels = subject.label_layout.split(track.labels)
    matched = round(hits_and_rows(labels)[1])
    return {
        "model": subject.manifest.name,
        "version": str(subject.manifest.version),
        "variant": subject.variant,
        "classes": classes,
        "time": now,
        "reference_rows": subject.reference.rows,
        "windows": {name: dataclasses.asdict(window) for name, window in shown.items()},
        "alarm": _alarm(subject, track.vigil),
        "alarms": _alarms(subject, track.vigil, promise),
        "evidence": {
            "log_level_warning": promise.log_warning,
            "log_level_alarm": promise.log_alarm,
            "days_between_false_alarms": promise.days_between_false_alarms,
            "log_evidence": finite(float(track.vigil.evidence.log_total)),
        },
        "totals": {
            "predictions": {label: round(rows) for label, rows in zip(classes, answered.tolist(), strict=True)},
            "feedback": {"matched": matched},
        },
        "confusion": {"classes": classes, "counts": labels["confusion"].astype(int).tolist()} if "confusion" in labels else None,
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
