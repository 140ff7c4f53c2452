"""What is computed in. The weights stay float32, and so does what scales the inputs and the head.

Micikevicius et al., "Mixed precision training" (ICLR 2018, arXiv 1710.03740).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Layers that are made meanwhile compute in "float32", "mixed_bfloat16" or "mixed_float16" (its loss is scaled by Keras)."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
