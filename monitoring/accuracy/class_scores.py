"""Precision, recall and F1 of each class, out of what `label_layout` adds up.

    precision = hits / predicted,   recall = hits / actual,   F1 = 2 hits / (predicted + actual)

None where it would be a share of nothing: a class that was never answered has no precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Shares = tuple[float | None, ...]


@dataclass(frozen=True)
class ClassScores:
    """One value for each class. `predicted` and `actual` are the labelled rows that were answered with it, and that have it."""

    hits: tuple[int, ...]
    predicted: tuple[int, ...]
    actual: tuple[int, ...]
    precision: Shares
    recall: Shares
    f1: Shares


def class_scores(parts: dict[str, NDArray[Any]]) -> ClassScores:
    """The scores of labelled rows.

    >>> import numpy as np
    >>> found = class_scores({"confusion": np.array([[3, 1], [0, 0]])})
    >>> found.precision, found.recall, found.f1
    ((1.0, 0.0), (0.75, None), (0.8571428571428571, 0.0))
    """
    if "confusion" in parts:
        matrix = parts["confusion"]
        hits, predicted, actual = matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)
    else:
        hits, false, missed = parts["outcomes"]
        predicted, actual = hits + false, hits + missed
    return ClassScores(
        _whole(hits),
        _whole(predicted),
        _whole(actual),
        precision=_shares(hits, predicted),
        recall=_shares(hits, actual),
        f1=_shares(2 * hits, predicted + actual),
    )


def _whole(counts: NDArray[Any]) -> tuple[int, ...]:
    return tuple(map(round, counts.tolist()))


def _shares(part: NDArray[Any], whole: NDArray[Any]) -> Shares:
    return tuple(p / w if w else None for p, w in zip(part.tolist(), whole.tolist(), strict=True))
