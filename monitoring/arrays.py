"""Names of the array types that the rooms hand each other, and a base for what consists of arrays."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class OfArrays:
    """A dataclass whose fields are all arrays can be written as such and read back."""

    def to_arrays(self) -> Arrays:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Raises KeyError without one of the fields; what is no field is left out."""
        return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
