"""Embeddings and spaces for the distance that is written in C, some of them of no use to it, and what NumPy has for them in float64.

Run with a file: the distance is taken from it, so that it may be one that a sanitizer watches.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.compiler import loaded

Array = NDArray[Any]
OfOne = Callable[[Array, Array, Array, int], float | None]
_MOST_DIRECTIONS = 64


def cases(seed: int, count: int) -> Iterator[tuple[Array, Array, Array, int]]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        features, directions, groups = rng.integers((1, 1, 1), (40, 70, 5))
        embedding = rng.normal(size=(1, features)) * rng.integers(0, 2, features) * 10.0 ** rng.integers(-20, 21)
        if rng.random() < 0.05:
            embedding[0, rng.integers(features)] = rng.choice([np.nan, np.inf, -np.inf])
        whitening, centres = rng.normal(size=(features, directions)), rng.normal(size=(groups, directions))
        arrays = [array.astype(np.float32) for array in (embedding, whitening, centres)]
        if rng.random() < 0.3:
            place = rng.integers(3)
            arrays[place] = damaged(rng, arrays[place])
        yield arrays[0], arrays[1], arrays[2], int(rng.integers(-2, groups + 2) if rng.random() < 0.1 else rng.integers(groups))


def damaged(rng: np.random.Generator, array: Array) -> Array:
    """Of another type, out of order, of another size or shape, or the same after all."""
    ways: list[Callable[[], Array]] = [
        lambda: array.astype(rng.choice(["f8", "f2", "i4", ">f4", "U1"])),
        lambda: np.repeat(array, 2, axis=1)[:, ::2],
        lambda: np.asfortranarray(array),
        lambda: array[:, : rng.integers(array.shape[1] + 1)].copy(),
        lambda: array.ravel(),
        lambda: array[None],
        lambda: array[:0],
        lambda: np.float32(1.0),  # type: ignore[return-value]
    ]
    with np.errstate(all="ignore"):
        return ways[rng.integers(len(ways))]()


def expected(embedding: Array, whitening: Array, centres: Array, group: int) -> float | None:
    """None where it is for NumPy: C takes what a space and a model have, and nothing else."""
    arrays = [np.asarray(array) for array in (embedding, whitening, centres)]
    plain = all(array.dtype == np.dtype("=f4") and array.flags.c_contiguous and array.ndim for array in arrays)
    if not plain or whitening.ndim != 2 or centres.ndim != 2 or whitening.shape[1] > _MOST_DIRECTIONS:
        return None
    if embedding.size != len(whitening) or centres.shape[1] != whitening.shape[1] or not 0 <= group < len(centres):
        return None
    with np.errstate(all="ignore"):
        if not np.square(embedding).sum() < np.inf:
            return math.nan
        exact = embedding.astype(np.float64).ravel()
        root = max(exact.dot(exact), 1e-24) ** 0.25
        return float(np.linalg.norm(exact @ whitening / root - centres[group]))


def is_right(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(found, wanted, rel_tol=1e-3, abs_tol=1e-4) or (math.isnan(found) and math.isnan(wanted))


def keeps(of_one: OfOne, case: tuple[Array, Array, Array, int]) -> bool:
    """Whether it holds on to what it was given."""
    before = [sys.getrefcount(given) for given in case[:3]]
    of_one(*case)
    return [sys.getrefcount(given) for given in case[:3]] != before


def wrong(of_one: OfOne, seed: int, count: int) -> list[tuple[Any, ...]]:
    """Where it has something else, or holds on to it."""
    return [case for case in cases(seed, count) if not is_right(of_one(*case), expected(*case)) or keeps(of_one, case)]


if __name__ == "__main__":
    print(wrong(loaded(sys.argv[1]).of_one, int(sys.argv[2]), int(sys.argv[3])))
