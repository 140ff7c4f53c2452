"""What whoever trains has to know of the data before anything is learnt: how it is parted, and what was left out or is doubtful in it."""

from __future__ import annotations

from collections.abc import Iterator

from training.data.duplicates import duplicates
from training.data.parts import DataSet, Divided


def sentences(dataset: DataSet, split: Divided) -> Iterator[str]:
    """One after the other."""
    yield f"{dataset.name}: " + ", ".join(f"{rows:,} {part}" for part, rows in split.rows().items()) + " rows"
    yield from dataset.notes
    yield from split.notes
    yield from duplicates(split).sentences()
