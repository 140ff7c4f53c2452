"""How often the alerts on drift and on errors of values in monitoring/prometheus/rules fire without a change: `python -m benchmarks.rules`.

Signals of ten bins are counted every 15 s for two days, always with the shares that their reference was drawn from, and held against
their limit over a sliding window as the rules do. So are the errors of labelled values, drawn like those of a test set and of the rows
that intervals were fitted on. An alert fires where the rule holds for as long as it waits.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.accuracy.conformal import CONFIDENCE, half_width
from monitoring.accuracy.regression import ROWS
from monitoring.drift.psi import ALPHA, SMALLEST_EFFECT, chi2_quantile

BINS, REFERENCE_ROWS, STEP_SECONDS = 10, 1000, 15
#: Errors that are told apart by how much of them large ones are.
ERRORS: dict[str, Callable[[np.random.Generator, int], NDArray[Any]]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "laplace": lambda rng, n: rng.laplace(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
}
#: What the rules on errors allow, and how sure they are (z of ALPHA).
GROWN, SOARED, NARROW, SURE = 0.1, 0.5, 0.02, NormalDist().inv_cdf(1 - ALPHA)


@dataclass(frozen=True)
class Rule:
    """An alert over a window that waits before it fires."""

    name: str
    window_seconds: int
    wait_seconds: int


RULES = (Rule("VeletaDrift", 600, 600), Rule("VeletaSlowDrift", 3600, 1800))


def drawn(rng: np.random.Generator, rows_per_second: float, steps: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The reference counts of a signal, and the totals of its bins at each step without drift."""
    shares = rng.dirichlet(np.full(BINS, 5.0))
    counts = rng.multinomial(rng.poisson(rows_per_second * STEP_SECONDS, steps), shares)
    return rng.multinomial(REFERENCE_ROWS, shares), np.cumsum(counts, axis=0)


def fires(rule: Rule, reference: NDArray[Any], totals: NDArray[Any]) -> bool:
    """Whether the alert fires at any time."""
    width = rule.window_seconds // STEP_SECONDS
    live = totals[width:] - totals[:-width]
    rows = live.sum(axis=1)
    q = (reference + 0.5) / (REFERENCE_ROWS + BINS / 2)
    p = (live + 0.5) / (rows + BINS / 2)[:, None]
    values = ((p - q) * np.log(p / q)).sum(axis=1)
    over = values > np.maximum(chi2_quantile(BINS - 1, 1 - ALPHA) * (1 / REFERENCE_ROWS + 1 / rows), SMALLEST_EFFECT)
    return stays(over, rule.wait_seconds)


def stays(over: NDArray[Any], wait_seconds: int) -> bool:
    """Whether it is over at every step of as long a time as that, once at least."""
    turns = np.flatnonzero(np.diff(np.concatenate([[0], over, [0]])))
    return bool(((turns[1::2] - turns[::2] - 1) * STEP_SECONDS >= wait_seconds).any())


def errors_fire(rng: np.random.Generator, kind: str, held_back: int, labels_per_second: float, steps: int) -> list[bool]:
    """Whether each alert of errors.yml fires by the labels of an hour: of one model with so many test rows, and as many for intervals."""
    tested, half = np.abs(ERRORS[kind](rng, held_back)), half_width(ERRORS[kind](rng, held_back))
    ends = np.concatenate([[0], np.cumsum(rng.poisson(labels_per_second * STEP_SECONDS, steps))])
    errors = np.abs(ERRORS[kind](rng, int(ends[-1])))
    each = np.stack([np.ones(len(errors)), errors, errors**2, errors <= half])
    totals = np.concatenate([np.zeros((4, 1)), each.cumsum(axis=1)], axis=1)[:, ends]
    width = 3600 // STEP_SECONDS
    rows, absolute, squared, inside = totals[:, width:] - totals[:, :-width]
    enough, rows = rows >= ROWS, np.maximum(rows, ROWS)
    mean = absolute / rows
    of_mean = np.maximum(squared / rows - mean**2, 0) / (rows - 1) / mean**2
    of_tested = tested.var(ddof=1) / held_back / tested.mean() ** 2
    growth = mean / tested.mean() * np.exp(-SURE * np.sqrt(of_mean + of_tested)) - 1
    loss = CONFIDENCE - most(inside / rows, rows, held_back)
    return [stays(enough & over, wait) for over, wait in ((growth > GROWN, 300), (growth > SOARED, 300), (loss > NARROW, 1800))]


def most(coverage: NDArray[Any], rows: NDArray[Any], fitted_on: int) -> NDArray[Any]:
    """What the coverage may be at most, of `rows` labels and an interval that was fitted on so many."""
    n = 1 / (1 / rows + 1 / (fitted_on + 2))
    found: NDArray[Any] = (n * coverage + SURE**2 / 2 + SURE * np.sqrt(n * coverage * (1 - coverage) + SURE**2 / 4)) / (n + SURE**2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=1000)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--days", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    steps, rng = round(asked.days * 86400 / STEP_SECONDS), np.random.default_rng(asked.seed)
    of_drift(rng, asked.signals, steps, asked.days)
    of_errors(np.random.default_rng(asked.seed), asked.models, steps, asked.days)


def of_drift(rng: np.random.Generator, signals: int, steps: int, days: float) -> None:
    print("rows/s  alert            fired   signal-days")
    for rows_per_second in (1, 10):
        streams = [drawn(rng, rows_per_second, steps) for _ in range(signals)]
        for rule in RULES:
            fired = sum(fires(rule, *stream) for stream in streams)
            print(f"{rows_per_second:<7} {rule.name:<16} {fired:<7} {signals * days:.0f}")


def of_errors(rng: np.random.Generator, models: int, steps: int, days: float) -> None:
    print("labels/s  test rows  errors      ErrorGrown  ErrorSoared  IntervalsTooNarrow  model-days")
    for rate in (0.05, 0.5):
        for held_back in (100, 1000):
            for kind in ERRORS:
                found = np.sum([errors_fire(rng, kind, held_back, rate, steps) for _ in range(models)], axis=0)
                print(f"{rate:<9} {held_back:<10} {kind:<11} {found[0]:<11} {found[1]:<12} {found[2]:<19} {models * days:.0f}")


if __name__ == "__main__":
    main()
