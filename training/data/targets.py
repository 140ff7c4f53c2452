"""What is asked of each row: classes, or values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.rows import Task
from training.errors import DataError

#: More classes than this are hardly meant.
MOST_CLASSES = 1_000
#: Whole numbers of at most so many different values are classes in a table.
_FEW = 20


def guess(y: NDArray[Any]) -> Task:
    """The task of a table's column (n,): words and a few whole numbers are classes, other numbers are values.

    >>> guess(np.array(["a", "b"])), guess(np.array([0.0, 1.0, 1.0])), guess(np.array([0.5, 1.0])), guess(np.arange(30.0))
    ('classification', 'classification', 'regression', 'regression')
    """
    few = y.dtype.kind != "f" or (bool((y == np.floor(y)).all()) and len(np.unique(y)) <= _FEW)
    return "classification" if few else "regression"


def values(y: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Targets (n,) of a regression. Raises DataError, which calls them `what`, unless they are finite numbers, not all the same."""
    if y.dtype.kind not in "iufb":
        raise DataError(f"{what} holds words such as {_some(y)}, which are no values; leave --task regression out")
    with np.errstate(over="ignore"):
        numbers = y.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise DataError(f"{what} has {int((~np.isfinite(numbers)).sum()):,} values that are not finite; mend them or leave their rows out")
    if not len(numbers) or (numbers == numbers[0]).all():
        raise DataError(f"{what} has {len(numbers):,} rows of one value; there is nothing to learn")
    return numbers


def labels(y: NDArray[Any], what: str) -> NDArray[Any]:
    """Targets (n,) as labels: words, or whole numbers. Raises DataError for anything else."""
    if y.dtype.kind == "b":
        return np.where(y, "true", "false")
    if y.dtype.kind == "f":
        if not np.isfinite(y).all() or not (y == np.floor(y)).all() or (np.abs(y) > 2**53).any():
            raise DataError(
                f"{what} holds values such as {_some(y[y != np.floor(y)])}, which are no classes; leave --task classification out"
            )
        return y.astype(np.int64)
    if y.dtype.kind not in "iuU":
        raise DataError(f"{what} is of the type {y.dtype}, expected whole numbers, words or values")
    return y


def known_classes(found: NDArray[Any], what: str) -> NDArray[Any]:
    """The classes there are among labels (n,), in order. Raises DataError for fewer than two or far too many."""
    classes = np.unique(found)
    if classes.dtype.kind == "U" and "" in classes:
        raise DataError(f"{what} has rows without a label; label them or leave them out")
    if len(classes) < 2:
        raise DataError(f"{what} has {len(found):,} rows of {'one class' if len(classes) else 'no class'}; at least two classes are needed")
    if len(classes) > min(MOST_CLASSES, len(found) / 2):
        other = "take another with --target" if classes.dtype.kind == "U" else "for values, give --task regression"
        raise DataError(f"{what} has {len(classes):,} different values in {len(found):,} rows, too many for classes; {other}")
    return classes


def _some(y: NDArray[Any]) -> str:
    return ", ".join(repr(value)[:40] for value in y[:3].tolist())
