"""Whether two trainings came to the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

#: A GPU adds in another order each time.
ROUNDING = 1e-6 if tf.config.list_physical_devices("GPU") else 0.0


def assert_same_weights(one: Any, other: Any) -> None:
    """Of two networks: bit for bit, but on a GPU."""
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=ROUNDING)
