"""The alarm: when evidence is enough, and what becomes of it.

One knob in human time, "at most one false alarm in 30 days", gives the level A in ticks that the average of Shiryaev and Roberts' R is
compared with (`monitoring.drift.evidence`). An alarm stays until it has been seen. From then on what is normal now is what evidence is
gathered against, so the same change is not told twice; when the traffic is as the reference again, it is against the reference as before.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from monitoring.arrays import FloatArray
from monitoring.drift.evidence import CHUNK_ROWS, Evidence, Streams
from monitoring.drift.psi import psi, psi_limit

#: A warning may be false this many times as often as an alarm.
_WARNINGS_PER_ALARM = 30
#: Which of the half-lives of the evidence says what is normal now, and how many of its rows it takes to say so.
_NOW, _ROWS_NOW = 1, 500

Severity = Literal["ok", "warning", "alarm"]


@dataclass(frozen=True)
class Promise:
    """At most one false alarm in so many days of ticks, in the mean."""

    days_between_false_alarms: float
    tick_seconds: float

    @property
    def log_alarm(self) -> float:
        """Log of the level A, in ticks."""
        return math.log(max(2.0, self.days_between_false_alarms * 86400 / self.tick_seconds))

    @property
    def log_warning(self) -> float:
        """Log of the level of a warning, in ticks.

        >>> round(math.exp(Promise(30, 10).log_alarm)), round(math.exp(Promise(30, 10).log_warning))
        (259200, 8640)
        """
        return max(math.log(2.0), self.log_alarm - math.log(_WARNINGS_PER_ALARM))


@dataclass(frozen=True)
class Alarm:
    """A change that is certain enough: raised at a tick, begun about `since` (both seconds since 1970), shown by `signals`.

    `signals` holds the log evidence of each of them when it joined.
    """

    raised_at: float
    since: float
    signals: dict[str, float]

    @property
    def number(self) -> str:
        """What it is known by: the time at which it was raised, in milliseconds."""
        return str(round(self.raised_at * 1000))


@dataclass(frozen=True)
class Vigil:
    """What is remembered of a subject's evidence and of the alarm that stands, if one does. `adapted`: normal is not the reference now."""

    evidence: Evidence
    alarm: Alarm | None = None
    adapted: bool = False

    @classmethod
    def start(cls, streams: Streams, now: float, total: FloatArray) -> Vigil:
        return cls(Evidence.start(streams, now, total))

    def advance(
        self, streams: Streams, promise: Promise, now: float, total: FloatArray, seen: bool = False, lately: FloatArray | None = None
    ) -> Vigil:
        """One tick on, `total` (bins,) being the totals at `now`; `seen` says that somebody has seen the alarm that stands.

        `lately` (bins,) counts rows that surely came after the change, to say what is normal now.
        """
        vigil = replace(self, evidence=self.evidence.advance(streams, now, total))
        if vigil.alarm:
            return vigil._adapt(streams, now, lately) if seen else vigil._with_further_signals(streams, promise)
        if vigil.evidence.log_total < promise.log_alarm:
            return vigil
        if vigil.adapted and vigil._as_the_reference(streams):
            return Vigil(vigil.evidence.restart(streams, now))
        return replace(vigil, alarm=_raise(vigil.evidence, streams, promise, now))

    def severity(self, promise: Promise) -> Severity:
        """Of the whole bank."""
        if self.alarm:
            return "alarm"
        return "warning" if self.evidence.log_total >= promise.log_warning else "ok"

    def signal_severity(self, name: str, streams: Streams, promise: Promise) -> Severity:
        """Of one signal: whether it shows the alarm, or would be a warning by itself."""
        if self.alarm and name in self.alarm.signals:
            return "alarm"
        evidence = float(self.evidence.log_evidence[streams.names.index(name)])
        return "warning" if evidence >= promise.log_warning else "ok"

    def _with_further_signals(self, streams: Streams, promise: Promise) -> Vigil:
        assert self.alarm
        shown = _signals(self.evidence, streams, promise.log_alarm)
        return replace(self, alarm=replace(self.alarm, signals=shown | self.alarm.signals))

    def _adapt(self, streams: Streams, now: float, lately: FloatArray | None) -> Vigil:
        """What came lately is normal from now on; the reference, of a stream where little came."""
        recent = self.evidence.recent[_NOW]
        known = streams.rows(recent) >= _ROWS_NOW
        if lately is not None:  # what is recent may go back to before the change
            sure = streams.rows(lately) >= CHUNK_ROWS
            recent = np.where(streams.spread(sure), lately / streams.spread(self.evidence.overdispersion), recent)
            known = known | sure
        fresh = self.evidence.restart(streams, now)
        return Vigil(replace(fresh, null=np.where(streams.spread(known), recent, streams.reference) + 0.5), None, bool(known.any()))

    def _as_the_reference(self, streams: Streams) -> bool:
        """Whether what came lately is within the limits of the reference, in every stream where enough came."""
        ends = [*streams.starts[1:], len(streams.reference)]
        for start, end in zip(streams.starts, ends, strict=True):
            live, reference = self.evidence.recent[0][start:end], streams.reference[start:end]
            if live.sum() and psi(reference, live) > psi_limit(end - start, reference.sum(), live.sum()):
                return False
        return True

    def to_text(self) -> str:
        """All but the evidence, as JSON."""
        return json.dumps({"alarm": self.alarm and dataclasses.asdict(self.alarm), "adapted": self.adapted})

    @classmethod
    def from_text(cls, text: str, evidence: Evidence) -> Vigil:
        data = json.loads(text)
        return cls(evidence, Alarm(**data["alarm"]) if data["alarm"] else None, data["adapted"])


def _raise(evidence: Evidence, streams: Streams, promise: Promise, now: float) -> Alarm:
    return Alarm(now, evidence.began(streams), _signals(evidence, streams, promise.log_alarm))


def _signals(evidence: Evidence, streams: Streams, level: float) -> dict[str, float]:
    """The signals whose evidence alone reaches the level, the strongest first. If the average does, at least one does."""
    found = dict(zip(streams.names, evidence.log_evidence.tolist(), strict=True))
    return {name: round(value, 3) for name, value in sorted(found.items(), key=lambda item: -item[1]) if value >= level}
