"""Rows with what is to be said of them, in parts; and what is to be learnt from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.manifest import Input
from monitoring.arrays import IntArray
from monitoring.signals.columns import Columns
from training.data.split import strata, stratified

Kind = Literal["image", "tensor", "tabular", "sequence"]
Task = Literal["classification", "regression"]

#: What a kind of input is called at the door.
NAMES: dict[Kind, str] = {"image": "image", "tensor": "values", "tabular": "row", "sequence": "sequence"}
#: Largest magnitude at the door: what float32 holds.
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Part:
    """Rows with their labels: `x` (n, …) uint8 from 0 to 255 for images, else float32; `y` (n,) class numbers int64, or values float32."""

    x: NDArray[Any]
    y: NDArray[Any]

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: IntArray) -> Part:
        return Part(self.x[rows], self.y[rows])

    def with_rows(self, more: Part) -> Part:
        """These rows and then those."""
        return Part(np.concatenate([self.x, more.x]), np.concatenate([self.y, more.y]))

    def draw(self, rows: int, seed: int) -> Part:
        """A stratified draw; all rows, in their order, if there are no more."""
        return self if rows >= len(self) else self.divide(rows, seed)[1]

    def divide(self, rows: int, seed: int) -> tuple[Part, Part]:
        """Stratified: (the rest, `rows` of the rows), both shuffled."""
        rest, drawn = stratified(strata(self.y), rows, seed)
        return self.take(rest), self.take(drawn)


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
    task: Task
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Divided(Split):
    """A split of a data set, with what its training part says of the problem. `columns` are those of a table; `notes` what was done."""

    problem: Problem
    columns: Columns | None = None
    notes: tuple[str, ...] = ()


def taken(kind: Kind, x: NDArray[Any], tokens: int = 0) -> Input:
    """The input of training rows `x` (n, …). Images are 0 to 255 and tokens 0 to the number of them less one.

    Other values may lie beyond those of the training rows by the whole span of these: what is farther out is no value of this problem,
    and a value that is a little out must still be known as one where raw bytes are told apart by what they hold.
    """
    return Input(NAMES[kind], "float32", (None, *x.shape[1:]), kind, (0.0, tokens - 1.0) if tokens else _range(kind, x))


def _range(kind: Kind, x: NDArray[Any]) -> tuple[float, float]:
    if kind == "image":
        return 0.0, 255.0
    lowest, highest = float(x.min()), float(x.max())
    span = highest - lowest or 1.0
    return max(lowest - span, -_LARGEST), min(highest + span, _LARGEST)
