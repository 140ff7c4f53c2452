"""A data set, and how it is parted into training, validation and test rows, or into folds."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Dataset
from monitoring.arrays import IntArray
from monitoring.signals.columns import Columns
from training.data.frame import Frame
from training.data.pixels import WHOLE
from training.data.rows import Divided, Kind, Part, Problem, Split, Task, taken
from training.data.split import fold_numbers, strata
from training.data.twins import groups, is_copied, without_copies
from training.errors import DataError

__all__ = ["DataSet", "Divided", "Part", "Problem", "Split", "images"]

#: Rows of a regression below which a part says nothing.
_FEWEST = 2
#: More folds than this are hours for a digit that their interval hides.
_MOST_FOLDS = 50


@dataclass(frozen=True)
class DataSet:
    """A data set. `test` is its official test part, or None where there is none; `classes` are empty for a regression.

    The rows of a table are still those of its `frame`, (n, columns): only a split knows which of them may say what a category is.
    `notes` are sentences about what was left out in reading it; `pixels` is the range in which its source has them; `asked` is what
    `training.data.sources.load` was asked for.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    rest: Part
    test: Part | None = None
    kind: Kind = "image"
    frame: Frame | None = None
    notes: tuple[str, ...] = ()
    pixels: str = WHOLE
    asked: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def original_sha256(self) -> str | None:
        """That of the data set that this one has grown out of, if it has."""
        return None

    @property
    def task(self) -> Task:
        return "classification" if self.classes else "regression"

    @cached_property
    def problem(self) -> Problem:
        """As all rows but the official test part show it. What is trained has that of its split, whose training rows alone show it."""
        return self._encoded(Split(self.rest, self.rest, self.rest)).problem

    @cached_property
    def sha256(self) -> str:
        """Over the bytes of all arrays: the same data gives the same hash wherever it was read from."""
        hashed = hashlib.sha256(self.frame.content() if self.frame else b"")
        for part in (self.rest, self.test):
            for array in () if part is None else (part.x, part.y):
                hashed.update(np.ascontiguousarray(array).data)
        return hashed.hexdigest()

    def split(self, seed: int, max_rows: int = 0) -> Divided:
        """Stratified. An official test part stays the test part, a tenth of the rest is for validation; otherwise a fifth of
        the rows is for the test and a fifth of the rest for validation. `max_rows` above 0: of a draw of about that many rows.

        Copies of a training row do not stay in the validation or test part; they go to the training part (`training.data.twins`).
        Raises DataError if a part has fewer rows than there are classes, or none of one of them.
        """
        split, notes = self.parted(seed, max_rows)
        return dataclasses.replace(self._checked(split), notes=notes)

    def parted(self, seed: int, max_rows: int = 0) -> tuple[Split, tuple[str, ...]]:
        """The parts of that split before anything is learnt of them, and what was done, in words."""
        rest, test, from_test = self._test_apart(seed, max_rows)
        train, validation, from_validation = self._validation_apart(rest, seed)
        return Split(train, validation, test), _moved(from_validation, from_test)

    def described(self, split: Split) -> Dataset:
        """As a manifest and the record tell of it."""
        return Dataset(self.name, self.sha256, split.rows(), self.original_sha256)

    def folds(self, count: int, seed: int, max_rows: int = 0) -> list[Divided]:
        """The rows of the training and validation parts of that split in stratified folds. Each in turn is the `test` part of a
        split whose other parts are made of the others. Copies of a row are in its fold.

        Raises DataError for fewer than 2 or more than 50 folds, and if a class has fewer rows than there are folds.
        """
        if not 2 <= count <= _MOST_FOLDS:
            raise DataError(f"there are to be {count} folds, expected 2 to {_MOST_FOLDS}")
        rest = self._test_apart(seed, max_rows)[0]
        if count > (self._counts(rest).min() if self.classes else len(rest)):
            raise DataError(f"{self.name} has {self._rarest(rest)} to learn from, too few for {count} folds; give fewer folds")
        numbers = fold_numbers(strata(rest.y), count, seed)
        if self._copies:
            numbers = numbers[groups(rest.x)]
        return [self._fold(rest, numbers == fold, seed) for fold in range(count)]

    def _fold(self, rest: Part, held_back: NDArray[np.bool_], seed: int) -> Divided:
        train, validation, _ = self._validation_apart(rest.take(np.flatnonzero(~held_back)), seed)
        return self._checked(Split(train, validation, rest.take(np.flatnonzero(held_back))))

    @cached_property
    def _copies(self) -> bool:
        """Whether equal rows are copies."""
        return is_copied(self.rest.x)

    def _test_apart(self, seed: int, max_rows: int) -> tuple[Part, Part, int]:
        """The rows to learn from, the test part, and how many copies went from that to them."""
        rest, test = self.rest, self.test
        if max_rows:
            share = min(1.0, max_rows / (len(rest) + (len(test) if test else 0)))
            rest = rest.draw(round(len(rest) * share), seed)
            test = test.draw(round(len(test) * share), seed) if test else None
        return (rest, test, 0) if test else self._apart(rest, 0.2, seed)

    def _validation_apart(self, rest: Part, seed: int) -> tuple[Part, Part, int]:
        return self._apart(rest, 0.1 if self.test else 0.2, seed + 1)

    def _apart(self, whole: Part, share: float, seed: int) -> tuple[Part, Part, int]:
        """(The rest, a drawn share of the rows, how many of these were copies of the rest and went back to it)."""
        rest, drawn = whole.divide(round(len(whole) * share), seed)
        if not self._copies:
            return rest, drawn, 0
        learned, held = without_copies(rest, drawn)
        return learned, held, len(drawn) - len(held)

    def _checked(self, split: Split) -> Divided:
        for what, part in (("training", split.train), ("validation", split.validation), ("test", split.test)):
            if len(part) < max(len(self.classes), _FEWEST):
                wanted = f"{len(self.classes)} classes" if self.classes else "a regression"
                raise DataError(f"{self.name} has {len(part)} {what} rows for {wanted}; give more data or raise max_rows")
            if self.classes and not (counts := self._counts(part)).all():
                raise DataError(
                    f"the class {self.classes[counts.argmin()]!r} of {self.name} has no {what} rows; every class needs rows for training, "
                    "validation and test, so give it more or leave it out"
                )
        return self._encoded(split)

    def _encoded(self, split: Split) -> Divided:
        """With what the training part alone says: the columns of a table, and what comes in."""
        parts, columns = [split.train, split.validation, split.test], None
        if self.frame:
            tables = [self.frame.table(part.x) for part in parts]
            columns = Columns.of(tables[0])
            parts = [Part(columns.encode(table), part.y) for table, part in zip(tables, parts, strict=True)]
        problem = Problem(taken(self.kind, parts[0].x, self._tokens), self.task, self.classes)
        return Divided(parts[0], parts[1], parts[2], problem, columns)

    @cached_property
    def _tokens(self) -> int:
        """How many tokens there are in a sequence of tokens, (n, steps); otherwise 0."""
        if self.kind != "sequence" or self.rest.x.ndim != 2:
            return 0
        return 1 + int(max(part.x.max() for part in (self.rest, self.test) if part))

    def _counts(self, part: Part) -> IntArray:
        return np.bincount(part.y, minlength=len(self.classes))

    def _rarest(self, part: Part) -> str:
        """The smallest class and its rows, in words."""
        if not self.classes:
            return f"{len(part)} rows"
        counts = self._counts(part)
        return f"{counts.min()} rows of the class {self.classes[counts.argmin()]!r}"


def _moved(validation: int, test: int) -> tuple[str, ...]:
    """What was done about copies, in words."""
    if not validation + test:
        return ()
    return (
        f"copies of training rows are kept out of what is judged by: {validation:,} of the validation and {test:,} of the test rows "
        "went to the training part",
    )


def images(x: NDArray[Any], y: NDArray[Any]) -> Part:
    """Grey images (n, 28, 28) or flat (n, 784), values from 0 to 255, as a part."""
    return Part(np.ascontiguousarray(x, dtype=np.uint8).reshape(len(x), 28, 28, 1), np.asarray(y, dtype=np.int64))
