"""What two recipes are compared on: the validation rows, and where these are few, further rows that a network has not learned from.

A few dozen rows tell too little apart, so a remedy that helped would be taken back. There, as in cross-validation, other rows take turns
at being held back: for each further split of the training and validation rows the recipe is trained once more, with as many training rows
as before, until enough rows are answered by a network that did not learn from them. Where there are few, a training takes seconds. Each
row is compared once; more rows than there are cannot be had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from training.data.parts import Part, Problem, Split
from training.data.split import strata, stratified
from training.data.twins import is_copied, without_copies
from training.diagnosis.proof import Proof, compare_classes, compare_values
from training.errors import DivergedError
from training.fitting.attempt import Attempt, attempt
from training.fitting.progress import Progress
from training.recipe import Recipe

#: As many as the images of the repair benchmark have, whose remedies were proved on them.
ENOUGH_ROWS = 300
#: More trainings than these no comparison is worth.
_MOST_FURTHER = 5
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Exam:
    """`split` is what the recipe is trained on anyway."""

    problem: Problem
    split: Split
    seed: int

    @cached_property
    def further(self) -> tuple[Split, ...]:
        """Each with other rows of the training part in place of the validation rows."""
        return tuple(_further(self.split, self.seed))

    def answers(self, recipe: Recipe, made: Attempt | None, progress: Progress, what: str) -> FloatArray:
        """To the validation rows by the network that was `made` of the recipe (None: it diverged), then to those of the further splits
        by networks that are made for it, (rows, outputs).
        """
        parts = [self.given(made, self.split.validation)]
        for number, split in enumerate(self.further, 2):
            try:
                again: Attempt | None = attempt(recipe, self.problem, split, progress, f"{what}, split {number}")
            except DivergedError:
                again = None
            parts.append(self.given(again, split.validation))
        return np.concatenate(parts)

    def given(self, made: Attempt | None, part: Part) -> FloatArray:
        """Answers (rows, outputs) of a network to a part; NaN of one that diverged."""
        if made is None:
            return np.full((len(part), max(1, len(self.problem.classes))), np.nan)
        network: Any = made.network
        starts = range(0, len(part), _ROWS_AT_ONCE)
        return np.concatenate([np.asarray(network(part.x[at : at + _ROWS_AT_ONCE], training=False), np.float64) for at in starts])

    def compare(self, first: FloatArray, second: FloatArray) -> Proof:
        """Of what `answers` gave."""
        held_back = [split.validation.y for split in (self.split, *self.further)]
        return compare(self.problem, first, second, np.concatenate(held_back))


def compare(problem: Problem, first: FloatArray, second: FloatArray, y: NDArray[np.generic]) -> Proof:
    """Answers (rows, outputs) of two networks to rows with labels or values (rows,)."""
    return (compare_classes if problem.task == "classification" else compare_values)(first, second, y)


def _further(split: Split, seed: int) -> Iterator[Split]:
    """Splits with other rows for validation, as many, each row at most once."""
    copies = is_copied(split.train.x)
    left = np.arange(len(split.train))
    compared = rows = len(split.validation)
    for _ in range(_MOST_FURTHER):
        if compared >= ENOUGH_ROWS or len(left) < rows:
            return
        rest, drawn = stratified(strata(split.train.y[left]), rows, seed)
        kept = np.setdiff1d(np.arange(len(split.train)), left[drawn])
        learned, held = split.train.take(kept).with_rows(split.validation), split.train.take(left[drawn])
        if copies:
            learned, held = without_copies(learned, held)
        if len(held):
            yield Split(learned, held, split.test)
        left, compared = left[rest], compared + len(held)
