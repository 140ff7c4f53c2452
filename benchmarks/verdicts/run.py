"""One run: traffic as it was, then changed, by way of the evidence to the incident."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.verdicts.changes import Change
from benchmarks.verdicts.world import Pool, World
from monitoring.accuracy.labels import Labels
from monitoring.arrays import IntArray
from monitoring.drift.alarm import Promise
from monitoring.incidents.incident import Incident
from monitoring.incidents.inquiry import Inquiry
from monitoring.track import Track

PROMISE = Promise(30, 5.0)
#: Predictions in a tick; how many times the predictions of the first look the second one has.
RATE, MORE = 60, 8
#: Ticks before the change, and at most after it.
_CALM, _MOST_TICKS = 60, 720
#: Share of the predictions that are labelled, at once, where there are labels.
_LABELLED = 0.3
NO_LABELS = Labels(*(np.empty(0, kind) for kind in (np.int64, np.int64, float, float, float)))


@dataclass
class Outcome:
    """What came of one run: incidents at both looks; none if there was no alarm; `false` if it came before anything had changed."""

    incidents: list[Incident] = field(default_factory=list)
    false: bool = False


def run(world: World, change: Change, share: float, rng: np.random.Generator, labelled: bool = False) -> Outcome:
    """Traffic as it was, then with `share` of it changed, until both looks have been taken."""
    subject, after = world.subject, world.after(change, rng)
    track, total, outcome, now = Track.start(subject, 0.0), np.zeros(subject.layout.size), Outcome(), 0.0
    for tick in range(_CALM + _MOST_TICKS):
        now += PROMISE.tick_seconds
        rows, labels = rng.poisson(RATE), []
        changed = rng.binomial(rows, share) if tick >= _CALM else 0
        for pool, count in ((after, changed), (world.before, rows - changed)):
            drawn = pool.draw(count, rng)
            total = total + pool.counts[drawn].sum(axis=0)
            labels.append((pool, drawn[rng.random(count) < _LABELLED]) if labelled else (pool, drawn[:0]))
        track = track.advance(subject, now, total, _labels(labels, now)).weigh(subject, PROMISE, now, seen=False)
        if alarm := track.vigil.alarm:
            if tick < _CALM:
                return Outcome(false=True)
            inquiry = Inquiry(subject, track, alarm, now)
            if not outcome.incidents or inquiry.rows >= MORE * outcome.incidents[0].predictions:
                outcome.incidents.append(inquiry.incident("benchmark", PROMISE))
            if len(outcome.incidents) == 2:
                break
    return outcome


def _labels(drawn: Iterable[tuple[Pool, IntArray]], now: float) -> Labels:
    parts = [(pool.predicted[rows], pool.actual[rows], pool.confidence[rows]) for pool, rows in drawn]
    predicted, actual, confidence = (np.concatenate(column) for column in zip(*parts, strict=True))
    times = np.full(len(predicted), now)
    return Labels(predicted, actual, times, times, confidence) if len(predicted) else NO_LABELS
