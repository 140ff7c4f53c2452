"""Names of the array types that the rooms hand each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]
