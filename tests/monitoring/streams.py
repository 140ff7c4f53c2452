"""Streams and traffic to try the evidence on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from monitoring.arrays import FloatArray, IntArray
from monitoring.drift.evidence import Evidence, Streams

BINS, SIGNALS = 10, 6
#: Gives the counts (runs, SIGNALS, BINS) of a tick.
Traffic = Callable[[int], FloatArray]


def streams(reference: FloatArray, ordered: bool = True) -> Streams:
    """SIGNALS streams of BINS bins over a reference (…, SIGNALS * BINS)."""
    names = tuple(f"signal {number}" for number in range(SIGNALS))
    return Streams(names, np.arange(SIGNALS) * BINS, reference, np.zeros(SIGNALS, dtype=bool), np.full(SIGNALS, ordered))


def equal() -> FloatArray:
    return np.full(BINS, 1 / BINS)


def one_gone() -> FloatArray:
    return np.append(0, np.full(BINS - 1, 1 / (BINS - 1)))


def references(rng: np.random.Generator, rows: int, runs: int) -> FloatArray:
    """The counts of as many deployments (runs, SIGNALS * BINS), each with its own reference."""
    return rng.multinomial(rows, equal(), size=(runs, SIGNALS)).astype(np.float64).reshape(runs, -1)


def first_alarms(references: FloatArray, traffic: Traffic, ticks: int, level: float, ordered: bool = True) -> IntArray:
    """The tick at which each run's total evidence first reaches the level, `ticks` if it does not."""
    runs = len(references)
    watched = streams(references[0], ordered)
    evidence = dataclasses.replace(Evidence.start(watched, 0.0, np.zeros_like(references)), null=references + 0.5)
    total, alarms = np.zeros_like(references), np.full(runs, ticks)
    for tick in range(ticks):
        total = total + traffic(tick).reshape(runs, -1)
        evidence = evidence.advance(watched, tick + 1.0, total)
        alarms = np.where((alarms == ticks) & (evidence.log_total >= np.log(level)), tick, alarms)
        if (alarms < ticks).all():
            break
    return alarms
