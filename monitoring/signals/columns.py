"""The columns of a table as signals: how the values of each are distributed, which are missing, and which were never seen.

A numeric column is its own signal. A column of categories becomes the number of the category, with one number more for all that
training did not know. What is missing is NaN in both. So one binning serves all: an edge at infinity gives NaN a bin of its own.

>>> columns = Columns.of(np.array([[1.0, 7.0], [2.0, 9.0], [3.0, 7.0]]), ("age", "kind"), {"kind"})
>>> live = columns.signals(np.array([[np.nan, 9.0], [2.5, 8.0]]))
>>> {name: values.tolist() for name, values in live.items()}
{'column:age': [nan, 2.5], 'column:kind': [1.0, 2.0]}
>>> from monitoring.signals.binning import bin_counts
>>> edges = columns.edges("column:kind", live["column:kind"])
>>> counts = bin_counts(live["column:kind"], edges)
>>> counts.tolist(), columns.unseen("column:kind", counts), missing(counts)      # the bins: 7, 9, unseen, missing
([0, 1, 1, 0], 0.5, 0.0)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import Arrays, FloatArray
from monitoring.signals.binning import class_edges, quantile_edges

#: Columns that are watched, the first of a table: each is a dozen numbers in every worker and every scrape.
MOST = 64
_PREFIX = "column:"


@dataclass(frozen=True)
class Columns:
    """`categories` of each column by its name, ascending; None for a numeric column. In the order of the table."""

    categories: dict[str, NDArray[Any] | None]

    @classmethod
    def of(cls, rows: NDArray[Any], names: tuple[str, ...] = (), categorical: Collection[str] = ()) -> Columns:
        """Of training rows (n, columns). Without names they are numbered. `categorical` says which are no quantities."""
        named = names or tuple(str(number) for number in range(rows.shape[1]))
        return cls({name: known_values(rows[:, place]) if name in categorical else None for place, name in enumerate(named[:MOST])})

    def signals(self, rows: NDArray[Any]) -> dict[str, FloatArray]:
        """The values of each column of `rows` (n, columns), as numbers (n,); NaN is missing."""
        return {
            _PREFIX + name: np.asarray(rows[:, place], dtype=np.float64) if known is None else category_numbers(rows[:, place], known)
            for place, (name, known) in enumerate(self.categories.items())
        }

    def edges(self, signal: str, values: FloatArray) -> FloatArray:
        """The inner edges of a column's bins: about equally full, or one a category and one for the unseen; the last for the missing."""
        known = self._known(signal)
        there = values[~np.isnan(values)]
        inner = class_edges(len(known) + 1) if known is not None else quantile_edges(there) if len(there) else np.empty(0)
        return np.append(inner, np.inf)

    def unseen(self, signal: str, counts: NDArray[Any]) -> float:
        """Share of the rows of a column whose category training did not know, from the counts of its bins."""
        return float(counts[-2] / counts.sum()) if self._known(signal) is not None and counts.any() else 0.0

    def to_arrays(self) -> Arrays:
        known = {f"categories/{place}": values for place, values in enumerate(self.categories.values()) if values is not None}
        return {"names": np.array(list(self.categories), dtype=np.str_), **known}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Columns:
        return cls({str(name): arrays.get(f"categories/{place}") for place, name in enumerate(arrays["names"])})

    def _known(self, signal: str) -> NDArray[Any] | None:
        return self.categories[signal.removeprefix(_PREFIX)]


def missing(counts: NDArray[Any]) -> float:
    """Share of the rows of a column that have no value, from the counts of its bins."""
    return float(counts[-1] / counts.sum()) if counts.any() else 0.0


def known_values(values: NDArray[Any]) -> NDArray[Any]:
    """The categories there are, ascending, without what is missing."""
    return np.unique(values[~_missing(values)])


def category_numbers(values: NDArray[Any], known: NDArray[Any]) -> FloatArray:
    """The place of each value among the `known` ones, len(known) for what is not there, NaN for what is missing.

    >>> category_numbers(np.array(["b", "", "c", "a"]), np.array(["a", "b"])).tolist()
    [1.0, nan, 2.0, 0.0]
    """
    places = np.searchsorted(known, values)
    found = known[np.minimum(places, len(known) - 1)] == values if len(known) else np.zeros(len(values), dtype=bool)
    return np.where(_missing(values), np.nan, np.where(found, places, len(known)))


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """NaN among numbers, the empty string among words."""
    empty: NDArray[np.bool_] = (
        np.isnan(values) if values.dtype.kind == "f" else values == "" if values.dtype.kind in "US" else values != values
    )
    return empty


def is_column(signal: str) -> bool:
    """Whether a signal is a column of a table."""
    return signal.startswith(_PREFIX)
