"""Rules on what the units do, from the pass over fixed rows before the first update and after each epoch."""

from __future__ import annotations

import numpy as np

from training.diagnosis import thresholds as at
from training.diagnosis.facts import Activations, Facts
from training.diagnosis.finding import Finding
from training.diagnosis.naming import found
from training.diagnosis.rules import Rule
from training.diagnosis.symptoms import poor_on_training

_CAN_DIE = ("relu", "relu6")


def dead_units(facts: Facts) -> Finding | None:
    """A rectifier that is below zero for every row gets no gradient and stays there (Lu et al., "Dying ReLU", 2019)."""
    seen = facts.activations
    if seen is None or not len(seen.layers) or not poor_on_training(facts):
        return None
    rectifiers = np.array([name in _CAN_DIE for name in seen.activations])
    dead = np.where(rectifiers, seen.of("dead_units"), 0.0)
    if len(dead) > 1 and dead[-1].max() <= at.DEAD_SHARE and dead[0].max() <= at.DEAD_SHARE:
        return None
    epoch, layer = _first_above(dead, at.DEAD_SHARE)
    if layer is None:
        return None
    return found("dead-units", f"{dead[epoch, layer]:.0%} of its units are zero on every row.", seen.layers[layer], epoch or None)


def saturated_units(facts: Facts) -> Finding | None:
    """At the limits of tanh and sigmoid the slope is near zero, so that little is learnt (Glorot and Bengio 2010)."""
    seen = facts.activations
    if seen is None or not len(seen.layers) or not poor_on_training(facts):
        return None
    epoch, layer = _first_above(seen.of("saturated"), at.SATURATED_SHARE)
    if layer is None or seen.of("saturated")[-1, layer] <= at.SATURATED_SHARE:
        return None
    share = seen.of("saturated")[epoch, layer]
    return found(
        "saturated-units", f"{share:.0%} of its activations lie at the limits of {_name(seen, layer)}.", seen.layers[layer], epoch or None
    )


def _name(seen: Activations, layer: int) -> str:
    return seen.activations[layer]


def _first_above(values: np.ndarray, limit: float) -> tuple[int, int | None]:
    """The first epoch (0: before any update) and the layer in which a value is above a limit."""
    above = np.argwhere(np.nan_to_num(values) > limit)
    return (int(above[0][0]), int(above[0][1])) if len(above) else (0, None)


RULES: tuple[Rule, ...] = (dead_units, saturated_units)
