"""A drill: how soon a change of the world would be noticed, tried out beforehand on a shadow of the detector.

The held-back rows are the world. Each run draws its reference from it, as many rows as the model's own has, and then its traffic: whole
rows with replacement, so that what belongs together in a row stays together, as a Poisson process, in clumps if the traffic seen was
overdispersed. So reference and traffic differ by what chance makes of them and by nothing else, until the shift: first the world is as it
was, until the evidence is settled; then ticks are counted until the alarm.

Late in a run several ticks are taken as one, 2 % of the time that has passed: a day is a few hundred looks, and what is found after an
hour is found a minute late at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.manifest import Input
from monitoring.arrays import FloatArray, IntArray
from monitoring.drift.alarm import Promise
from monitoring.drift.evidence import CHUNK_ROWS, Evidence, Streams
from monitoring.reference import Profile
from monitoring.signals.duplicates import signatures
from monitoring.signals.measure import Batch, Fitted, measure, quality

#: What is not noticed in this time counts as missed.
DAY_SECONDS = 86400.0
#: Looks before the shift: by then the overdispersion is known to a few percent and the recent rows are as many as they will be.
_SETTLING = 200
#: References whose settling is simulated; the runs are parted among them.
_REFERENCES = 20
#: The part of the time since the shift that is one look.
_RESOLUTION = 1 / 50


@dataclass(frozen=True)
class Traffic:
    """Predictions per second, and how many of them say as much as one independent one (`monitoring.drift.overdispersion`)."""

    per_second: float
    clump: float = 1.0


@dataclass(frozen=True)
class Change:
    """Rows `before` (n, bins) and `after` (n, bins): what each adds to the counts of the streams. The same rows in the same order.

    After the shift each comes `weights` (n,) times as often; `share` of the rows come from after the shift, the others from before.
    """

    before: FloatArray
    after: FloatArray
    weights: FloatArray
    share: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """`seconds` (runs,) until the alarm, infinite if there was none within a day; in what part of the alarms each signal showed it."""

    seconds: FloatArray
    shown: dict[str, float]

    @property
    def missed(self) -> float:
        """Share of the runs."""
        return float(np.isinf(self.seconds).mean())

    def within(self, share: float) -> float:
        """Seconds in which that share of the runs ended with an alarm; infinite if fewer did."""
        return float(np.quantile(self.seconds, share, method="higher"))


@dataclass(frozen=True)
class Looked:
    """Rows (n,) as they are looked at: the `values` of each signal, whether each check `failed`, and which rows are `repeated`."""

    values: dict[str, FloatArray]
    failed: dict[str, NDArray[np.bool_]]
    repeated: NDArray[np.bool_]

    @classmethod
    def at(cls, batch: Batch, taken: Input, fitted: Fitted) -> Looked:
        checked = [quality(row[None], taken, np.zeros(1, dtype=np.bool_)) for row in batch.inputs]
        failed = {check: np.array([found[check] for found in checked], dtype=bool) for check in checked[0]}
        return cls(measure(batch, taken, fitted), failed, _repeated(batch.inputs))

    def counts(self, profiles: dict[str, Profile], streams: Streams) -> FloatArray:
        """What each row (n, bins) adds to the totals of the streams: one in a bin of each signal and of each check. Labels do not come.

        Repeated rows come from a client that sends the same thing all the time: they count for the checks alone.
        """
        rows = np.zeros((len(self.repeated), len(streams.reference)), dtype=np.float32)
        for name, start in zip(streams.names, streams.starts, strict=True):
            if name in profiles:
                places = np.searchsorted(profiles[name].edges, self.values[name], side="right")
                rows[np.arange(len(rows)), start + places] = ~self.repeated
            elif name in self.failed:
                rows[np.arange(len(rows)), start + self.failed[name]] = 1
        return rows


def replay(streams: Streams, change: Change, traffic: Traffic, promise: Promise, runs: int, rng: np.random.Generator) -> Outcome:
    """When each of so many runs raises the alarm after the change."""
    shadow = _settled(streams, change.before, min(_REFERENCES, runs), traffic, promise, rng)
    shadow = shadow.pick(np.arange(runs) % len(shadow.total))
    alive, seconds, shown = np.arange(runs), np.full(runs, np.inf), np.zeros(len(streams.names))
    for clock, duration in _looks(promise.tick_seconds):
        shadow = shadow.advance(_shifted(change, len(alive), traffic, duration, rng), clock)
        alarmed = shadow.evidence.log_total >= promise.log_alarm
        seconds[alive[alarmed]] = clock
        shown += (shadow.evidence.log_evidence[alarmed] >= promise.log_alarm).sum(axis=0)
        alive, shadow = alive[~alarmed], shadow.pick(~alarmed)
        if not len(alive):
            break
    return Outcome(seconds, _shares(streams.names, shown, runs - len(alive)))


@dataclass(frozen=True)
class _Shadow:
    """The detector of each run: `streams` with a reference for each (runs, bins), and `total` counts (runs, bins)."""

    streams: Streams
    evidence: Evidence
    total: FloatArray

    @classmethod
    def start(cls, streams: Streams, rows: FloatArray, runs: int, rng: np.random.Generator) -> _Shadow:
        drawn = (
            rng.multinomial(int(streams.rows(streams.reference).max()), np.full(len(rows), 1 / len(rows)), runs).astype(np.float32) @ rows
        )
        known = streams.spread(streams.rows(drawn) > 0)  # what no row counts for stays as it was: labels do not come
        watched = replace(streams, reference=np.where(known, drawn, streams.reference).astype(np.float64))
        return cls(watched, Evidence.start(watched, 0.0, np.zeros(drawn.shape)), np.zeros(drawn.shape))

    def advance(self, rows: FloatArray, now: float) -> _Shadow:
        total = self.total + rows
        return replace(self, evidence=self.evidence.advance(self.streams, now, total), total=total)

    def pick(self, runs: NDArray[np.bool_] | IntArray) -> _Shadow:
        kept = {name: values[runs] for name, values in self.evidence.to_arrays().items()}
        return _Shadow(replace(self.streams, reference=self.streams.reference[runs]), Evidence.from_arrays(kept), self.total[runs])


def _settled(streams: Streams, rows: FloatArray, runs: int, traffic: Traffic, promise: Promise, rng: np.random.Generator) -> _Shadow:
    """After some time in the world as it was; a run that raised an alarm, which is rare, is left out."""
    shadow = _Shadow.start(streams, rows, runs, rng)
    duration = max(promise.tick_seconds, 2 * CHUNK_ROWS / traffic.per_second)
    evenly = np.full(len(rows), traffic.per_second * duration / len(rows))
    for look in range(_SETTLING):
        shadow = shadow.advance(_drawn(rows, evenly, runs, traffic.clump, rng), (look - _SETTLING) * duration)
    calm = shadow.evidence.log_total < promise.log_alarm
    return shadow.pick(calm) if calm.any() else shadow


def _looks(tick_seconds: float) -> Iterator[tuple[float, float]]:
    """When there is a look, in seconds after the shift, and how long after the one before."""
    clock = 0.0
    while clock < DAY_SECONDS:
        duration = max(1.0, clock * _RESOLUTION // tick_seconds) * tick_seconds
        clock += duration
        yield clock, duration


def _shifted(change: Change, runs: int, traffic: Traffic, duration: float, rng: np.random.Generator) -> FloatArray:
    """Counts (runs, bins) of so many seconds after the shift."""
    expected = traffic.per_second * duration
    counts = _drawn(change.after, change.weights / change.weights.sum() * expected * change.share, runs, traffic.clump, rng)
    if change.share < 1:
        evenly = np.full(len(change.before), expected * (1 - change.share) / len(change.before))
        counts = counts + _drawn(change.before, evenly, runs, traffic.clump, rng)
    return counts


def _drawn(rows: FloatArray, expected: FloatArray, runs: int, clump: float, rng: np.random.Generator) -> FloatArray:
    """Counts (runs, bins) of rows that come as a Poisson process, `clump` times at once; `expected` (n,) are the times in the mean."""
    times = rng.poisson(expected / clump, (runs, len(rows))).astype(np.float32) * np.float32(clump)
    counts: FloatArray = (times @ rows).astype(np.float64)
    return counts


def _shares(names: tuple[str, ...], shown: FloatArray, alarms: int) -> dict[str, float]:
    """In what part of the alarms each signal showed it, the most frequent first."""
    found = [(name, round(times / alarms, 3)) for name, times in zip(names, shown.tolist(), strict=True) if times]
    return dict(sorted(found, key=lambda item: -item[1]))


def _repeated(inputs: NDArray[np.generic]) -> NDArray[np.bool_]:
    _, place, times = np.unique(signatures(inputs), return_inverse=True, return_counts=True)
    repeated: NDArray[np.bool_] = times[place] > 1
    return repeated
