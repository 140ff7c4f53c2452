"""What is shown: windows of a track as small typed values, and as the JSON of /monitor."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from monitoring.confusion import accuracy, hits_and_rows
from monitoring.psi import enough, psi, psi_limit
from monitoring.subject import Subject
from monitoring.track import Track, predictions
from monitoring.wilson import Interval
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
    """What is known of the last `seconds`. None is "not enough data", never 0."""

    seconds: float
    predictions: int
    labels: int
    accuracy: Interval | None
    coverage: float | None
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
        tuple(_drift(subject, counts)),
    )


def _drift(subject: Subject, counts: Any) -> list[Drift]:
    live = subject.reference.split(subject.layout.split(counts)["signals"])
    found = []
    for name, profile in subject.reference.profiles.items():
        rows, bins = float(live[name].sum()), len(profile.counts)
        if not enough(bins, rows):
            found.append(Drift(name, "psi", None, None, round(rows), "not enough data"))
            continue
        value, limit = psi(profile.counts, live[name]), psi_limit(bins, subject.reference.rows, rows)
        found.append(Drift(name, "psi", value, limit, round(rows), "over" if value > limit else "ok"))
    return found


def monitor(subject: Subject, track: Track, now: float) -> dict[str, Any]:
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
        "alarms": [
            {"signal": d.signal, "window": name, "statistic": d.statistic, "value": d.value, "limit": d.limit}
            for name, window in shown.items()
            for d in window.drift
            if d.state == "over"
        ],
        "totals": {
            "predictions": {label: round(rows) for label, rows in zip(classes, answered.tolist(), strict=True)},
            "feedback": {"matched": matched},
        },
        "confusion": {"classes": classes, "counts": labels["confusion"].astype(int).tolist()} if "confusion" in labels else None,
    }
