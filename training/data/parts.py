"""A data set of images, and how it is parted into training, validation and test rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.manifest import Input
from monitoring.arrays import IntArray
from training.data.split import stratified
from training.errors import DataError


@dataclass(frozen=True)
class Part:
    """Rows with their labels: `x` (n, height, width, channels) uint8 from 0 to 255, `y` (n,) class numbers."""

    x: NDArray[np.uint8]
    y: IntArray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: IntArray) -> Part:
        return Part(self.x[rows], self.y[rows])

    def draw(self, rows: int, seed: int) -> Part:
        """A stratified draw; all rows, in their order, if there are no more."""
        return self if rows >= len(self) else self.take(stratified(self.y, rows, seed)[1])


@dataclass(frozen=True)
class Split:
    """The parts: fitted on, chosen by, and reported on."""

    train: Part
    validation: Part
    test: Part

    def rows(self) -> dict[str, int]:
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


@dataclass(frozen=True)
class Problem:
    """What is to be learnt: what comes in, and what is asked. `classes` are the labels, empty for a regression."""

    input: Input
    task: Literal["classification", "regression"]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """A data set. `test` is its official test part, or None where there is none."""

    name: str
    source: str
    classes: tuple[str, ...]
    rest: Part
    test: Part | None = None

    @property
    def problem(self) -> Problem:
        """Classes of images whose values go from 0 to 255."""
        taken = Input("image", "float32", (None, *self.rest.x.shape[1:]), "image", (0.0, 255.0))
        return Problem(taken, "classification", self.classes)

    @cached_property
    def sha256(self) -> str:
        """Over the bytes of all arrays: the same data gives the same hash wherever it was read from."""
        hashed = hashlib.sha256()
        for part in (self.rest, self.test):
            for array in () if part is None else (part.x, part.y):
                hashed.update(np.ascontiguousarray(array).data)
        return hashed.hexdigest()

    def split(self, seed: int, max_rows: int = 0) -> Split:
        """Stratified. An official test part stays the test part, a tenth of the rest is for validation; otherwise a fifth of
        the rows is for the test and a fifth of the rest for validation. `max_rows` above 0: of a draw of about that many rows.
        Raises DataError if a part has fewer rows than there are classes.
        """
        rest, test, share = self.rest, self.test, 0.1
        if max_rows:
            taken = min(1.0, max_rows / (len(rest) + (len(test) if test else 0)))
            rest = rest.draw(round(len(rest) * taken), seed)
            test = test.draw(round(len(test) * taken), seed) if test else None
        if test is None:
            rest, test, share = *_part(rest, 0.2, seed), 0.2
        train, validation = _part(rest, share, seed + 1)
        for what, part in (("training", train), ("validation", validation), ("test", test)):
            if len(part) < len(self.classes):
                raise DataError(
                    f"{self.name} has {len(part)} {what} rows for {len(self.classes)} classes; give more data or raise max_rows"
                )
        return Split(train, validation, test)


def _part(whole: Part, share: float, seed: int) -> tuple[Part, Part]:
    rest, drawn = stratified(whole.y, round(len(whole) * share), seed)
    return whole.take(rest), whole.take(drawn)


def images(x: NDArray[Any], y: NDArray[Any]) -> Part:
    """Grey images (n, 28, 28) or flat (n, 784), values from 0 to 255, as a part."""
    return Part(np.ascontiguousarray(x, dtype=np.uint8).reshape(len(x), 28, 28, 1), np.asarray(y, dtype=np.int64))
