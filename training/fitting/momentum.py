"""SGD whose momentum goes down while the learning rate goes up, and up again with its fall: the other half of the one-cycle schedule.

L. N. Smith, "A disciplined approach to neural network hyper-parameters" (arXiv 1803.09820, section 4.3); 0.95 → 0.85 → 0.95 is what
became usual with it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from monitoring.arrays import FloatArray


class CycledSGD(keras.optimizers.SGD):  # type: ignore[misc]  # Keras has no types
    """keras.optimizers.SGD with a momentum for each update, (updates,); after the last one it stays."""

    def __init__(self, momenta: FloatArray, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._momenta = np.asarray(momenta, dtype=np.float32)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """As Keras' own, but for the momentum, which is looked up inside the compiled step."""
        place = keras.ops.minimum(keras.ops.cast(self.iterations, "int32"), len(self._momenta) - 1)
        momentum = keras.ops.cast(keras.ops.take(self._momenta, place), variable.dtype)
        step = keras.ops.cast(gradient, variable.dtype) * keras.ops.cast(learning_rate, variable.dtype)
        velocity = self.momentums[self._get_variable_index(variable)]
        self.assign(velocity, velocity * momentum - step)
        self.assign_add(variable, velocity * momentum - step if self.nesterov else velocity)


def momenta(highest: float, lowest: float, rise: float, warm: int, updates: int) -> FloatArray:
    """(updates,): from `highest` down to `lowest` for a share `rise` of the updates after the `warm` first ones, then back, both as half
    a cosine.

    >>> momenta(0.95, 0.85, 0.5, 1, 6).round(3).tolist()
    [0.95, 0.95, 0.9, 0.85, 0.9, 0.95]
    """
    t = np.clip((np.arange(updates) - warm) / max(updates - warm - 1, 1), 0, 1)
    share = np.where(t < rise, t / max(rise, 1e-9), (1 - t) / max(1 - rise, 1e-9))
    cycled: FloatArray = highest - (highest - lowest) * 0.5 * (1 - np.cos(np.pi * share))
    return cycled
