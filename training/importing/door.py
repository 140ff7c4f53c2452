"""What has to stand between a network that was trained elsewhere and the server: how it wants its rows, and what its answers mean.

The server hands over pixels from 0 to 255, height × width × channels, and reads a probability for each class. Networks have been
trained on pixels from 0 to 1 or -1 to 1, flat or with the channels first, and answer logits or one number for two classes. What it is
is not asked but measured on the reference rows, whose answers are known: wrong pixels are found by the loss, not by the accuracy, since
a network without large biases gives nearly the same classes for pixels 255 times as bright, only far too surely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from training.data.parts import Part, Problem
from training.data.pixels import RANGES, WHOLE
from training.errors import NetworkError

Shape = tuple[int | None, ...]
Ending = Literal["none", "softmax", "pair", "sigmoid pair"]
_ENDINGS = {
    "softmax": "a softmax was put behind it, since it answers logits",
    "pair": "its one probability became two, of either class",
    "sigmoid pair": "a sigmoid was put behind it, and its one probability became two, of either class",
}
#: Probabilities of a row may miss a sum of 1 by this much: float16 is as exact.
_SUM = 1e-2
#: Rows that are asked in each way.
_ROWS = 1000
#: By so many standard errors must the right answers be more than chance gives.
_SURE = 2.0
#: By so many must pixels suit better that are less usual. A network for 0 to 1 may by chance do a little better with -1 to 1.
_USUAL, _SURER = ("0..1", WHOLE, "-1..1"), 4.0
_BATCH = 128


@dataclass(frozen=True)
class Door:
    """What is done to a row before the network, which takes it as `shape` after its axes were put in the order `axes` (None: as they
    are), and to its answer.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...] | None
    pixels: str = WHOLE
    ending: Ending = "none"

    @property
    def scale(self) -> tuple[float, float]:
        """A factor, and what is added then."""
        return RANGES[self.pixels]

    def rows(self, x: NDArray[Any]) -> FloatArray:
        """Rows (n, …) as the network takes them."""
        scale, offset = self.scale
        scaled = x.astype(np.float32) * np.float32(scale) + np.float32(offset)
        turned = scaled if self.axes is None else scaled.transpose(0, *(axis + 1 for axis in self.axes))
        return turned.reshape(len(x), *self.shape)

    def given(self, ask: Callable[[FloatArray], FloatArray], x: NDArray[Any]) -> FloatArray:
        """What the network gives to rows (n, …), which are handed over in parts."""
        return np.concatenate([ask(self.rows(x[start : start + _BATCH])) for start in range(0, len(x), _BATCH)])

    def answers(self, given: FloatArray) -> FloatArray:
        """What the network gives (n, …) as the server reads it: (n, classes) probabilities or (n, 1) values."""
        found: FloatArray = given.astype(np.float64)
        if self.ending == "softmax":
            found = softmax(found)
        if self.ending == "sigmoid pair":
            found = 1 / (1 + np.exp(-np.clip(found, -500, 500)))
        if self.ending in ("pair", "sigmoid pair"):
            found = np.concatenate([1 - found, found], axis=1)
        return found.astype(np.float32)

    def changes(self) -> Iterator[str]:
        """What was put around the network, in words."""
        if self.pixels != WHOLE:
            yield f"pixels from 0 to 255 become {self.pixels.replace('..', ' to ')} in front of it"
        if self.axes is not None:
            yield "the channels of a picture come first in front of it"
        if self.ending in _ENDINGS:
            yield _ENDINGS[self.ending]


@dataclass(frozen=True)
class Found:
    """The door of a network, and why its pixels are taken to be what they are."""

    door: Door
    why: str


def find_door(ask: Callable[[FloatArray], FloatArray], takes: Shape, problem: Problem, part: Part, pixels: str | None) -> Found:
    """The door for a network that takes rows of the shape `takes` (None: any size) and answers rows with `ask`, by reference rows.

    `pixels` says what it wants pixels to be; None: from 0 to 1, as most, unless something else surely suits better. Raises NetworkError
    if its rows or answers are not those of the problem, or if it knows no more of these rows than chance does.
    """
    rows = part.draw(_ROWS, seed=0)
    shape, axes = _shaped(takes, problem)
    ways = (pixels,) if pixels else _USUAL if problem.input.kind == "image" else (WHOLE,)
    doors: dict[str, Door] = {}
    answers: dict[str, FloatArray] = {}
    for way in ways:
        given = Door(shape, axes, way).given(ask, rows.x)
        doors[way] = Door(shape, axes, way, _ending(given, problem))
        answers[way] = doors[way].answers(given)
    losses = {way: _losses(answers[way], rows, problem) for way in ways}
    best = _surely_least(losses)
    _check_knows(answers[best], rows, problem)
    measure = "log loss" if problem.classes else "mean squared error"
    others = ", ".join(f"{losses[way].mean():.3g} with {way}" for way in ways if way != best)
    return Found(doors[best], f"with pixels {best} its {measure} is {losses[best].mean():.3g}; {others}" if others else "")


def softmax(logits: FloatArray) -> FloatArray:
    """Of each row of (n, classes)."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: FloatArray = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _surely_least(losses: dict[str, FloatArray]) -> str:
    """The first, unless another has surely less: by the losses of the same rows (n,), its mean difference and the error of that."""
    best, *others = losses
    for way in others:
        less = losses[best] - losses[way]
        if less.mean() > _SURER * less.std() / math.sqrt(len(less)):
            best = way
    return best


def _shaped(takes: Shape, problem: Problem) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The shape in which the network takes a row, and the order of the axes of the row for it."""
    row = problem.input.row_shape
    if _goes(row, takes):
        return row, None
    if problem.input.kind == "image" and _goes((first := (row[2], row[0], row[1])), takes):
        return first, (2, 0, 1)
    whole = tuple(size or 0 for size in takes)
    if math.prod(whole) == math.prod(row) and (len(whole) == 1 or _bare(whole) == _bare(row)):
        return whole, None
    raise NetworkError(
        f"the network takes rows of shape {_words(takes)}, and those of the reference have {_words(row)}; "
        "give reference rows as the network takes them"
    )


def _goes(row: tuple[int, ...], takes: Shape) -> bool:
    return len(row) == len(takes) and all(size is None or size == wanted for size, wanted in zip(takes, row, strict=True))


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without axes of a single entry."""
    return tuple(size for size in shape if size != 1)


def _words(shape: Shape) -> str:
    return " × ".join("any" if size is None else str(size) for size in shape) or "nothing"


def _ending(given: FloatArray, problem: Problem) -> Ending:
    """What is missing behind a network that gives `given` (n, …). Raises NetworkError if it answers something else."""
    if given.ndim != 2:
        raise NetworkError(f"the network answers {_words(given.shape[1:])} numbers a row, expected one row of numbers; end it with a Dense")
    if not np.isfinite(given).all():
        raise NetworkError("the network answers with numbers that are not finite; see whether its weights are whole")
    width, classes = given.shape[1], len(problem.classes)
    if width != (classes or 1) and (width, classes) != (1, 2):
        wanted = f"{classes} classes ({', '.join(problem.classes[:5])}{', …' if classes > 5 else ''})" if classes else "values"
        raise NetworkError(
            f"the network answers {width} numbers a row, and the reference is of {wanted}; its y must have all classes of the network, "
            "in the order of their labels, or the .npz file says in `classes` what they are called"
        )
    if not classes:
        return "none"
    shares = given.min() >= -_SUM and given.max() <= 1 + _SUM
    if width == 1:
        return "pair" if shares else "sigmoid pair"
    if shares and np.abs(given.sum(axis=1) - 1).max() < _SUM:
        return "none"
    if shares and given.min() >= 0:
        raise NetworkError(
            f"the network answers {width} shares a row that do not sum to 1, as of several classes at once (sigmoid); "
            "a row has one class here, so end it with a softmax"
        )
    return "softmax"


def _losses(answers: FloatArray, rows: Part, problem: Problem) -> FloatArray:
    """The log loss, or the squared error, of each row."""
    if not problem.classes:
        squares: FloatArray = np.square(answers[:, 0].astype(np.float64) - rows.y)
        return squares
    logs: FloatArray = np.log(np.maximum(answers[np.arange(len(rows)), rows.y].astype(np.float64), 1e-7))
    return -logs


def _check_knows(answers: FloatArray, rows: Part, problem: Problem) -> None:
    """Raise NetworkError for a network that does not know these rows.

    Of classes, the share of right answers must surely be above that of somebody who gives each class as often as the network does,
    p = Σ share given · share there is (Cohen, "A coefficient of agreement for nominal scales", 1960): with rare classes the share of the
    commonest would be no measure. Of values, the squared error must be below that of always answering the mean.
    """
    if problem.classes:
        given, classes = answers.argmax(axis=1), len(problem.classes)
        by_chance = float(np.bincount(given, minlength=classes) @ np.bincount(rows.y, minlength=classes)) / len(rows) ** 2
        right = float((given == rows.y).mean())
        knows = right > by_chance + _SURE * math.sqrt(by_chance * (1 - by_chance) / len(rows))
        found = f"tells {right:.1%} of {len(rows):,} rows of the reference, {by_chance:.1%} would be chance"
        remedy = "are its classes in the order of the labels, and x as it learnt it?"
    else:
        off, mean_off = math.sqrt(_losses(answers, rows, problem).mean()), float(rows.y.astype(np.float64).std())
        knows = off < mean_off
        found = (
            f"is off by {off:.3g} (root mean square) on {len(rows):,} rows of the reference, always answering their mean by {mean_off:.3g}"
        )
        remedy = "are x and y in the units in which it learnt?"
    if not knows:
        raise NetworkError(f"the network {found}: it does not know this data; {remedy}")
