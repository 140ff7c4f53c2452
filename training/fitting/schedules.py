"""How the learning rate goes over a training: a pure function of the share of the updates that are done.

Each schedule takes t, from 0 at the first update after the warm-up to 1 at the last planned one, and gives the factor on the recipe's
learning rate. A training that stops early has not come to the end of its schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from monitoring.arrays import FloatArray
from training.errors import RecipeError
from training.networks.arguments import check_arguments
from training.recipe import Recipe


def constant(t: FloatArray) -> FloatArray:
    """1 all the way."""
    return np.ones_like(t)


def step(t: FloatArray, at: Sequence[float] = (0.5, 0.75), factor: float = 0.1) -> FloatArray:
    """Multiplied by `factor` at each share in `at`: a half and three quarters, as He et al. 2016 (arXiv 1512.03385, section 4.2).

    >>> step(np.array([0.0, 0.5, 0.9])).round(4).tolist()
    [1.0, 0.1, 0.01]
    """
    return np.power(float(factor), np.searchsorted(np.sort(np.asarray(at, dtype=float)), t, side="right"))


def exponential(t: FloatArray, final: float = 0.01) -> FloatArray:
    """The same share less with each update, down to `final`."""
    return np.power(float(final), t)


def cosine(t: FloatArray, final: float = 0.0) -> FloatArray:
    """Half a cosine down to `final` (Loshchilov & Hutter, "SGDR", ICLR 2017, arXiv 1608.03983, equation 5, without restarts)."""
    falling: FloatArray = final + (1 - final) * 0.5 * (1 + np.cos(np.pi * t))
    return falling


def one_cycle(t: FloatArray, rise: float = 0.3, start: float = 0.04, final: float = 1e-4, low_momentum: float | None = None) -> FloatArray:
    """Up from `start` for a share `rise` of the updates, then down to `final`, both as half a cosine.

    Smith & Topin, "Super-convergence" (arXiv 1708.07120); the numbers are those that became usual with it: a 25th, three tenths, and
    far below where it began. `low_momentum` does not change the rate: it is where the momentum of SGD goes meanwhile, in fitting.momentum;
    without it that stays as it is.
    """
    up = start + (1 - start) * 0.5 * (1 - np.cos(np.pi * np.clip(t / max(rise, 1e-9), 0, 1)))
    down = cosine(np.clip((t - rise) / max(1 - rise, 1e-9), 0, 1), final)
    return np.where(t < rise, up, down)


SCHEDULES: dict[str, Callable[..., FloatArray]] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "one-cycle": one_cycle,
}


def rates(recipe: Recipe, updates: int) -> FloatArray:
    """The learning rate of each planned update (updates,). The first `warmup` of them rise in a straight line to where the schedule begins.

    Raises RecipeError for arguments that the schedule does not have, or that are not shares from 0 to 1.
    """
    factor, arguments = SCHEDULES[recipe.schedule], recipe.schedule_arguments
    check_arguments(f"schedule_arguments ({recipe.schedule})", factor, arguments, hidden=("t",))
    for name, value in arguments.items():
        shares, expected = (value, "a list of shares") if name == "at" else ([value], "a share")
        if not isinstance(shares, list) or not all(type(share) in (int, float) and 0 <= share <= 1 for share in shares):
            raise RecipeError(f"schedule_arguments.{name} is {value!r}, expected {expected} from 0 to 1")
    warm = warm_updates(recipe, updates)
    t = np.arange(updates - warm) / max(updates - warm - 1, 1)
    after = factor(t, **arguments)
    return recipe.learning_rate * np.concatenate([after[0] * (np.arange(warm) + 1) / (warm + 1), after])


def warm_updates(recipe: Recipe, updates: int) -> int:
    """Those of the warm-up."""
    return min(round(recipe.warmup * updates), updates - 1)


class Planned(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate looked up by the number of the update; after the last planned one it stays."""

    def __init__(self, table: FloatArray) -> None:
        self.table = np.asarray(table, dtype=np.float32)

    def __call__(self, step: Any) -> Any:
        return keras.ops.take(self.table, keras.ops.minimum(keras.ops.cast(step, "int32"), len(self.table) - 1))

    def get_config(self) -> dict[str, Any]:
        return {"table": self.table.tolist()}
