"""The shifts of the table: those of "Failing Loudly" (Rabanser et al., NeurIPS 2019, section 4), and label shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.drift.world import Answered, World
from monitoring.arrays import FloatArray, IntArray
from monitoring.signals import shifts

SHARES = (0.1, 0.5, 1.0)


@dataclass(frozen=True)
class Case:
    """A shift on a `share` of the rows. For `class_gone` the strength is the class; `share` of its rows are gone. None at all: a share of 0
    shows how often there is a false alarm.
    """

    shift: str
    strength: float
    share: float = 1.0

    @property
    def title(self) -> str:
        if not self.share:
            return "none"
        what = {"class_gone": "knock-out of class", "affine": "rotation, zoom", "label_shift": "label shift, Dirichlet"}.get(
            self.shift, self.shift
        )
        return f"{what} {self.strength:g}, {100 * self.share:g} %"

    def answered(self, world: World, rng: np.random.Generator) -> Answered:
        """The world's rows after the shift."""
        if self.shift in shifts.CLASS_SHIFTS:
            return world.clean
        kind = world.subject.manifest.input.kind
        return world.answered(shifts.apply(self.shift, world.inputs, self.strength, rng, kind=kind))

    def draw(self, world: World, size: tuple[int, ...], rng: np.random.Generator) -> IntArray:
        """Numbers of rows that come after the shift: those from n on are the shifted ones."""
        n = len(world.labels)
        weights: FloatArray = np.ones(n)
        if self.shift in shifts.CLASS_SHIFTS:
            weights = 1 - self.share + self.share * shifts.weights(self.shift, world.labels, self.strength, rng)
        drawn = rng.choice(n, size, p=weights / weights.sum())
        if self.shift not in shifts.CLASS_SHIFTS:
            drawn = drawn + n * (rng.random(size) < self.share)
        return drawn


NONE = Case("noise", 0, 0)
CASES = (
    NONE,
    *(Case("noise", sigma, share) for sigma in (1, 10, 100) for share in SHARES),
    *(Case("affine", degrees, share) for degrees in (10, 40, 90) for share in SHARES),
    *(Case("class_gone", 0, share) for share in SHARES),
    *(Case("label_shift", concentration) for concentration in (50, 10, 2)),
)
SHORT_CASES = (NONE, Case("noise", 100), Case("class_gone", 0))
