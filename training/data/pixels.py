"""What pixels are as networks take them: at the door, and in a data set here, they are whole numbers from 0 to 255."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WHOLE = "0..255"
#: Range → what makes it of 0 to 255: (factor, then added).
RANGES = {WHOLE: (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}
#: So near to a whole number comes one that was a float16 between.
_NEAR = 0.1


def range_of(x: NDArray[Any]) -> str:
    """The range in which an array may have pixels, by its type and its numbers.

    >>> range_of(np.array([0.0, 0.5])), range_of(np.array([-0.5, 1.0])), range_of(np.array([0, 1]))
    ('0..1', '-1..1', '0..255')
    """
    if x.dtype.kind != "f" or not x.size or not 0 < float(x.max()) <= 1:
        return WHOLE
    lowest = float(x.min())
    return "0..1" if lowest >= 0 else "-1..1" if lowest >= -1 else WHOLE


def from_0_to_255(x: NDArray[Any], pixels: str) -> NDArray[np.float32]:
    """Pixels that are in the range `pixels`, as those from 0 to 255; they need not be whole."""
    factor, added = RANGES[pixels]
    return (x.astype(np.float32) - np.float32(added)) / np.float32(factor)


def are_whole(x: NDArray[np.float32]) -> bool:
    """Whether pixels from 0 to 255 were whole numbers before they were scaled."""
    return bool(np.abs(x - np.rint(x)).max() < _NEAR)
