"""A drill in words: what is tried, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from models.errors import VeletaError
from models.manifest import Manifest
from monitoring.drift.alarm import Promise
from monitoring.drift.drill import Outcome, Traffic
from monitoring.signals import shifts
from monitoring.signals.shifts import Shift
from monitoring.tasks.task import Measure

#: Shifts whose strength is a class.
_OF_A_CLASS = "class_"
#: A signal is named if it showed the change in this part of the alarms; so many of them.
_OFTEN, _NAMED = 0.25, 3


class DrillError(VeletaError):
    """There is no such shift, or no traffic to replay it at."""


@dataclass(frozen=True)
class Plan:
    """What is to be tried: the `shift` called `name`, its `strength` (also as `text`), and the `share` of the rows that it falls on."""

    name: str
    shift: Shift
    strength: float
    share: float
    text: str

    @classmethod
    def parse(cls, text: str, share: float, manifest: Manifest) -> Plan:
        """From NAME or NAME:STRENGTH. Raises DrillError."""
        known, (name, colon, strength) = shifts.find(manifest.input.kind), text.partition(":")
        if not manifest.classes:
            known = {shift: one for shift, one in known.items() if not shift.startswith(_OF_A_CLASS)}
        if name not in known:
            raise DrillError(f"there is no shift {name!r} of inputs of the kind {manifest.input.kind}; there is {', '.join(known)}")
        number = _strength(strength, name, known[name], manifest.classes) if colon else known[name].strength
        return cls(name, known[name], number, share, manifest.classes[int(number)] if name.startswith(_OF_A_CLASS) else f"{number:g}")

    def __str__(self) -> str:
        return f"{self.name}:{self.text} ({self.shift.unit}) on {100 * self.share:g} % of the inputs"


@dataclass(frozen=True)
class Seen:
    """Traffic, and where it was seen."""

    traffic: Traffic
    where: str


@dataclass(frozen=True)
class Report:
    """What came of it. How right answers are before and after, in the `measure` of the task, on the held-back `rows`."""

    key: str
    plan: Plan
    promise: Promise
    seen: Seen
    outcome: Outcome
    measured: tuple[float, float]
    rows: int
    measure: Measure = "accuracy"

    def to_dict(self) -> dict[str, Any]:
        """Times are null where they are longer than a day."""
        name, version, variant = self.key.split("/")
        return {
            "model": name,
            "version": version,
            "variant": variant,
            "shift": self.plan.name,
            "strength": self.plan.strength,
            "share": self.plan.share,
            "predictions_per_second": self.seen.traffic.per_second,
            "predictions_seen": self.seen.where,
            "overdispersion": self.seen.traffic.clump,
            "days_between_false_alarms": self.promise.days_between_false_alarms,
            "runs": len(self.outcome.seconds),
            "median_seconds": _finite(self.outcome.within(0.5)),
            "p95_seconds": _finite(self.outcome.within(0.95)),
            "missed_in_a_day_ratio": self.outcome.missed,
            "shown_by": self.outcome.shown,
            self.measure: {"before": self.measured[0], "after": self.measured[1], "rows": self.rows},
        }

    def to_text(self) -> str:
        (before, after), traffic = self.measured, self.seen.traffic
        signals = [name for name, share in self.outcome.shown.items() if share >= _OFTEN][:_NAMED]
        return "\n".join(
            [
                f"{self.key} at {traffic.per_second:.3g} predictions per second ({self.seen.where}), {len(self.outcome.seconds)} runs, "
                f"at most one false alarm in {self.promise.days_between_false_alarms:g} days",
                f"{self.plan} {self._noticed()}" + (f"; first by {', '.join(signals)}" if signals else ""),
                f"missed within a day in {100 * self.outcome.missed:.3g} % of the runs",
                f"{self._worth(before)} before, {self._worth(after, named=False)} after (on {self.rows:,} held-back rows)",
            ]
        )

    def _worth(self, value: float, named: bool = True) -> str:
        if self.measure == "accuracy":
            return f"{'accuracy ' if named else ''}{100 * value:.1f} %"
        return f"{'mean absolute error ' if named else ''}{value:.4g}"

    def _noticed(self) -> str:
        median, most = self.outcome.within(0.5), self.outcome.within(0.95)
        if math.isinf(median):
            return "would not be noticed within a day in most runs"
        return f"would be noticed in {_duration(median)}" + ("" if math.isinf(most) else f", with 95 % of runs under {_duration(most)}")


def _strength(text: str, name: str, shift: Shift, classes: tuple[str, ...]) -> float:
    """A finite number; for a shift of one class also its label."""
    if name.startswith(_OF_A_CLASS):
        if text in classes:
            return float(classes.index(text))
        raise DrillError(f"{text!r} is no class of the model; give one of {', '.join(classes)}, as in {name}:{classes[0]}")
    try:
        strength = float(text)
    except ValueError:
        strength = math.nan
    if not math.isfinite(strength):
        raise DrillError(f"{text!r} is no strength of {name}; give a number ({shift.unit}), as in {name}:{shift.strength:g}")
    return strength


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None


def _duration(seconds: float) -> str:
    """
    >>> [_duration(seconds) for seconds in (47.0, 600.0, 9000.0)]
    ['47 s', '10 min', '2.5 h']
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
