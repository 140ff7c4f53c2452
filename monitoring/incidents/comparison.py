"""A comparison: live counts of all signals against what is expected of them, signal by signal, with what chance alone would give.

>>> import numpy as np
>>> from monitoring.signals.binning import class_edges
>>> from monitoring.reference import Profile
>>> reference = Reference(1000, {"class": Profile(class_edges(2), np.array([500, 500]))})
>>> found = Comparison.of(reference, np.array([500.0, 500.0]), {"class": 1000.0}, np.array([900.0, 100.0]), {"class": 1.0})
>>> round(found.excess["class"], 2), found.over
(0.87, frozenset({'class'}))
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitoring.arrays import FloatArray
from monitoring.drift.psi import psi, psi_limit
from monitoring.reference import Reference


@dataclass(frozen=True)
class Comparison:
    """`excess`: signal → PSI beyond what chance gives on average, which may be below 0; `noise`: its standard deviation by chance alone;
    `over`: signals over the limit of chance.
    """

    excess: dict[str, float]
    noise: dict[str, float]
    over: frozenset[str]

    @classmethod
    def of(
        cls, reference: Reference, expected: FloatArray, rows: Mapping[str, float], live: FloatArray, overdispersion: Mapping[str, float]
    ) -> Comparison:
        """Of counts (bins,) over the bins of all signals in a row. What is expected of each is as sure as so many independent `rows`."""
        wanted, seen = reference.split(expected), reference.split(live)
        excess, noise, over = {}, {}, set()
        for name, known in rows.items():
            counted = float(seen[name].sum())
            if not counted or not known:
                continue
            independent, bins = counted / overdispersion.get(name, 1.0), len(seen[name])
            found = psi(wanted[name] * (known / max(wanted[name].sum(), 1e-9)), seen[name])
            # PSI / (1/n + 1/m) is about χ² with B − 1 degrees of freedom, whose mean that is and whose variance is twice as much
            excess[name] = found - (bins - 1) * (1 / known + 1 / independent)
            noise[name] = math.sqrt(2 * (bins - 1)) * (1 / known + 1 / independent)
            if found > psi_limit(bins, known, independent):
                over.add(name)
        return cls(excess, noise, frozenset(over))

    def total(self, signals: Iterable[str]) -> float:
        """The excess of some of the signals together."""
        return sum(max(0.0, self.excess.get(name, 0.0)) for name in signals)
