"""How many predictions until each detector notices each shift, all with the same share of false alarms in the time looked at."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.drift.cases import Case
from benchmarks.drift.detectors import SETTLING, WINDOWS, Detector, PopulationStability
from benchmarks.drift.limits import Limit
from benchmarks.drift.plan import Plan
from benchmarks.drift.world import Deployment, World
from monitoring.arrays import FloatArray

#: Predictions in a tick, and the share of runs without drift in which there is an alarm all the same.
EACH = 50
FALSE_ALARMS = 0.08
#: Of PSI, in general use: "some change" and "a large one".
PSI_LIMITS = (0.1, 0.25)


@dataclass(frozen=True)
class Row:
    """Median predictions until the alarm by detector, infinite if most runs had none; the share without one; accuracy after the shift."""

    world: str
    case: str
    accuracy: float
    medians: dict[str, float] = field(default_factory=dict)
    missed: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Fixed:
    """PSI over a fixed limit, in windows of so many predictions: predictions between two alarms without drift, in the mean."""

    world: str
    limit: float
    window: int
    apart: float


def measure(
    world: World, detectors: Sequence[Detector], cases: Sequence[Case], plan: Plan, rng: np.random.Generator
) -> tuple[list[Row], list[Fixed]]:
    """A row for each case; and what comes of the limits of PSI in general use."""
    deployments = [world.deploy(rng) for _ in range(plan.deployments)]
    shape = (plan.limit_runs, SETTLING + plan.shifted_ticks, EACH)
    quiet = [(deployment, rng.integers(0, len(world.labels), shape)) for deployment in deployments]
    limits, fixed = {}, []
    for detector in detectors:
        say(f"{world.name}: the limit of {detector.name}")
        paths = np.concatenate([detector.paths(deployment, world.clean, drawn) for deployment, drawn in quiet], axis=1)
        limits[detector.name] = Limit.of(paths[:, :, SETTLING:], FALSE_ALARMS)
        if isinstance(detector, PopulationStability):
            fixed = [
                Fixed(world.name, limit, window, _apart(paths[kind, :, SETTLING:] >= limit))
                for limit in PSI_LIMITS
                for kind, window in enumerate(WINDOWS)
            ]
    return [_row(world, detectors, limits, case, deployments, plan, rng) for case in cases], fixed


def _apart(alarms: NDArray[np.bool_]) -> float:
    """Predictions between two alarms, from the time until the first one of each run (runs, ticks)."""
    ticks = np.where(alarms.any(axis=1), alarms.argmax(axis=1) + 1, alarms.shape[1])
    return float(ticks.sum() * EACH / alarms.any(axis=1).sum()) if alarms.any() else math.inf


def _row(
    world: World,
    detectors: Sequence[Detector],
    limits: dict[str, Limit],
    case: Case,
    deployments: Sequence[Deployment],
    plan: Plan,
    rng: np.random.Generator,
) -> Row:
    say(f"{world.name}: {case.title}")
    after, before = case.answered(world, rng), rng.integers(0, len(world.labels), (len(deployments), plan.runs, SETTLING, EACH))
    drawn = [np.concatenate([calm, case.draw(world, (plan.runs, plan.shifted_ticks, EACH), rng)], axis=1) for calm in before]
    answers = np.concatenate([world.clean.batch.outputs, after.batch.outputs]).argmax(axis=1)
    rows = np.concatenate([each[:, SETTLING:].ravel() for each in drawn])
    row = Row(world.name, case.title, float((answers[rows] == world.labels[rows % len(world.labels)]).mean()))
    for detector in detectors:
        limit = limits[detector.name]
        paths = [detector.paths(deployment, after, each, limit.each) for deployment, each in zip(deployments, drawn, strict=True)]
        delays = _delays(np.concatenate(paths, axis=1), limit)
        row.medians[detector.name] = float(np.quantile(delays, 0.5, method="higher"))
        row.missed[detector.name] = float(np.isinf(delays).mean())
    say("  " + ", ".join(f"{name} {median:g}" for name, median in row.medians.items()))  # the whole takes an hour, and may be stopped
    return row


def _delays(paths: FloatArray, limit: Limit) -> FloatArray:
    """Predictions from the shift to the alarm, of the runs without one at the shift; infinite without any."""
    alarms = limit.exceeded(paths)
    calm = ~alarms[:, SETTLING - 1]
    late = alarms[calm, SETTLING:]
    delays: FloatArray = np.where(late.any(axis=1), (late.argmax(axis=1) + 1) * EACH, np.inf)
    return delays


def say(text: str) -> None:
    """Progress, on the other stream than the table."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
