"""The study that the processes of the tests share."""

from __future__ import annotations

from training.search.space import Choice, Range
from training.search.study import Setup

SPACE = (Range("learning_rate", 0.1, 0.9, 0.2, False), Choice("batch_size", (16, 32)))


def setup(storage: str, method: str) -> Setup:
    return Setup("shared", storage, method, "median", 0, "maximize", 3)
