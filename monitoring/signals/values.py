"""Statistics of the numbers in a row, for tensors and sequences, of which nothing else is known. In the unit of the values.

All are of the row as a whole, so rows of one shape compare whatever the shape is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray


def value_statistics(rows: NDArray[Any]) -> dict[str, FloatArray]:
    """Per row, of `rows` (n, …); the first axis of a row is that of its steps.

    mean     mean of the values
    spread   standard deviation of the values
    lowest, highest   the least and the greatest value
    zeros    share of the values that are 0, as padding is
    steps    mean absolute difference from one step to the next; 0 where there is only one

    >>> {name: float(value[0]) for name, value in value_statistics(np.array([[[0.0, 1.0], [4.0, 3.0]]])).items()}
    {'mean': 2.0, 'spread': 1.5811388300841898, 'lowest': 0.0, 'highest': 4.0, 'zeros': 0.25, 'steps': 3.0}
    """
    with np.errstate(over="ignore", invalid="ignore"):  # values far out of the range end in the outermost bins, whatever they give here
        values = rows.reshape(len(rows), -1)
        steps = np.abs(np.diff(rows, axis=1)).reshape(len(rows), -1) if rows.ndim > 1 and rows.shape[1] > 1 else np.zeros((len(rows), 1))
        return {
            "mean": values.mean(axis=1, dtype=np.float64),
            "spread": values.std(axis=1, dtype=np.float64),
            "lowest": values.min(axis=1),
            "highest": values.max(axis=1),
            "zeros": (values == 0).mean(axis=1),
            "steps": steps.mean(axis=1, dtype=np.float64),
        }
