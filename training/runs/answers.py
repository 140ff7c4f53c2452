"""Which rows a network got right, in one bit each, so that two runs can be compared row by row years later.

>>> import numpy as np
>>> first = Answers.of(np.arange(4), np.array([True, False, True, True]))
>>> first.rows, first.right().tolist()
(4, [True, False, True, True])
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """`sha256` is that of the rows themselves: only answers to the same rows can be paired. `bits` is base64, one bit a row."""

    sha256: str
    rows: int
    bits: str

    @classmethod
    def of(cls, x: NDArray[Any], right: NDArray[np.bool_]) -> Answers:
        """Of rows `x` (n, …), and whether each was answered rightly (n,)."""
        digest = hashlib.sha256(np.ascontiguousarray(x).data).hexdigest()
        return cls(digest, len(right), base64.b64encode(np.packbits(right).tobytes()).decode())

    def right(self) -> NDArray[np.bool_]:
        """(rows,)"""
        return np.unpackbits(np.frombuffer(base64.b64decode(self.bits), np.uint8), count=self.rows).astype(bool)
