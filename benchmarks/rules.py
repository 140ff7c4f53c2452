"""How often the drift alerts of monitoring/prometheus/rules/drift.yml fire without drift: `python -m benchmarks.rules`.

Signals of ten bins are counted every 15 s for two days, always with the shares that their reference was drawn from, and held against
their limit over a sliding window as the rules do. An alert fires where a signal stays over its limit for as long as the rule waits.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.drift.psi import ALPHA, SMALLEST_EFFECT, chi2_quantile

BINS, REFERENCE_ROWS, STEP_SECONDS = 10, 1000, 15


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
    turns = np.flatnonzero(np.diff(np.concatenate([[0], over, [0]])))
    return bool(((turns[1::2] - turns[::2] - 1) * STEP_SECONDS >= rule.wait_seconds).any())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signals", type=int, default=1000)
    parser.add_argument("--days", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    steps, rng = round(asked.days * 86400 / STEP_SECONDS), np.random.default_rng(asked.seed)
    print("rows/s  alert            fired   signal-days")
    for rows_per_second in (1, 10):
        streams = [drawn(rng, rows_per_second, steps) for _ in range(asked.signals)]
        for rule in RULES:
            fired = sum(fires(rule, *stream) for stream in streams)
            print(f"{rows_per_second:<7} {rule.name:<16} {fired:<7} {asked.signals * asked.days:.0f}")


if __name__ == "__main__":
    main()
