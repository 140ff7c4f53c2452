"""False alarms: how long it is between two of them without drift, beside what was promised, at several rates of traffic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.drift.plan import Plan
from benchmarks.drift.world import Deployment, World
from monitoring.arrays import FloatArray
from monitoring.drift.alarm import Promise
from monitoring.drift.evidence import Evidence

TICK_SECONDS = 10.0
RATES = (10, 100, 1000, 5000)
#: A promise short enough to be broken within a simulation, in ticks; and the one that is made by default.
LEVEL = 1000
REAL = Promise(30, TICK_SECONDS)
_BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Line:
    """Ticks between two false alarms, with a 95 % interval over the deployments; and the alarms at the real level in so many months."""

    world: str
    per_second: float
    mean: float
    lower: float
    upper: float
    real_alarms: int
    months: float

    @property
    def kept(self) -> bool:
        """Whether what was promised is not refuted."""
        return self.upper >= LEVEL

    def to_text(self) -> str:
        return (
            f"{self.world:<24}{self.per_second:>8g}{self.mean:>10,.0f}{f'{self.lower:,.0f} to {self.upper:,.0f}':>20}"
            f"{self.real_alarms:>9}{self.months:>9.1f}   {'kept' if self.kept else 'BROKEN'}"
        )


HEAD = f"{'no drift':<24}{'pred./s':>8}{'ticks':>10}{'95 % interval':>20}{'alarms':>9}{'months':>9}"


def measure(world: World, per_second: float, plan: Plan, rng: np.random.Generator) -> Line:
    """Several deployments, several runs of each."""
    first, real = [], 0
    for _ in range(plan.deployments):
        alarms, found = _quiet(world.deploy(rng), per_second, plan, rng)
        first.append(alarms)
        real += found
    ticks = np.array(first)  # (deployments, runs)
    lower, upper = _interval(ticks, plan.quiet_ticks, rng)
    months = ticks.size * plan.quiet_ticks * TICK_SECONDS / (30 * 86400)
    return Line(world.name, per_second, _mean(ticks, plan.quiet_ticks), lower, upper, real, months)


def _quiet(deployment: Deployment, per_second: float, plan: Plan, rng: np.random.Generator) -> tuple[FloatArray, int]:
    """Tick of the first alarm at LEVEL of each run (runs,), infinite without one; and how many runs had one at the real level."""
    rows, streams = deployment.clean, deployment.streams
    total = np.zeros((plan.runs, rows.shape[1]))
    evidence, first = Evidence.start(streams, 0.0, total), np.full(plan.runs, np.inf)
    real: NDArray[np.bool_] = np.zeros(plan.runs, dtype=bool)
    for tick in range(plan.quiet_ticks):
        came = rng.poisson(per_second * TICK_SECONDS / len(rows), (plan.runs, len(rows)))
        total = total + (came.astype(np.float32) @ rows)
        evidence = evidence.advance(streams, float(tick), total)
        first = np.where(np.isinf(first) & (evidence.log_total >= math.log(LEVEL)), tick + 1, first)
        real |= evidence.log_total >= REAL.log_alarm
    return first, int(real.sum())


def _mean(first: FloatArray, ticks: int) -> float:
    """Mean time to an alarm, where what is longer than `ticks` was cut: all ticks over all alarms."""
    alarms = np.isfinite(first).sum()
    return float(np.minimum(first, ticks).sum() / alarms) if alarms else math.inf


def _interval(first: FloatArray, ticks: int, rng: np.random.Generator) -> tuple[float, float]:
    """A bootstrap over deployments; without any alarm, what three of them would have meant is the lower end (the rule of three)."""
    if np.isinf(first).all():
        return first.size * ticks / 3, math.inf
    means = [_mean(first[rng.integers(0, len(first), len(first))], ticks) for _ in range(_BOOTSTRAPS)]
    lower, upper = np.quantile(means, [0.025, 0.975], method="nearest")
    return float(lower), float(upper)
