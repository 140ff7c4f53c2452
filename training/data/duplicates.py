"""Duplicates across the parts of a split, counted: what inflates a score, and labels that contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.data.rows import Split
from training.data.twins import contradictory, row_hashes


@dataclass(frozen=True)
class Duplicates:
    """Rows of the validation part that equal a training row, rows of the test part that equal one of either,
    and rows (of classes) in any part that equal one with another label: of those, one is wrong or the inputs do not tell."""

    validation: int
    test: int
    contradictory: int

    def __bool__(self) -> bool:
        return bool(self.validation or self.test or self.contradictory)


def duplicates(split: Split) -> Duplicates:
    """Equal rows across the parts of a split."""
    parts = (split.train, split.validation, split.test)
    train, validation, test = (row_hashes(part.x) for part in parts)
    every = np.concatenate([train, validation, test])
    labels = np.concatenate([part.y for part in parts])
    return Duplicates(
        int(np.isin(validation, train).sum()),
        int(np.isin(test, np.concatenate([train, validation])).sum()),
        contradictory(every, labels) if labels.dtype.kind in "iu" else 0,
    )
