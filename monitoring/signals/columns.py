"""The columns of a table: how rows become what a network takes, and how what it takes becomes a signal for each column again.

A network takes the *encoded* row, whole numbers and fractions only. A number is itself, and the training median where it is missing. A
category is a one in its own place among the categories that training knew, and zeros everywhere if training did not know it. Where
training rows had missing values, one place more says so.

A value may be missing that never was in training. A place of its own for that would be weighed by a network that never saw it used, so
such a value leaves only a trace: the median and the smallest step more, or 2⁻²⁰ in place of a category. The network answers as if it were
the median or unknown, and yet it can be counted. So all that a signal asks of a column is in the encoded rows, exactly.

>>> columns = Columns.of({"age": np.array([1.0, 2.0, 3.0]), "kind": np.array(["b", "", "c"])})
>>> columns.features
('age', 'kind=b', 'kind=c', 'kind missing')
>>> live = columns.encode(columns.table([{"age": 5, "kind": "c"}, {"age": 2.5}, {"kind": "d"}]))
>>> live.round(3).tolist()
[[5.0, 0.0, 1.0, 0.0], [2.5, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0]]
>>> measured = columns.signals(live)
>>> {name: values.tolist() for name, values in measured.items()}          # of two known categories, number 2 is another one
{'column:age': [5.0, 2.5, nan], 'column:kind': [1.0, nan, 2.0]}
>>> from monitoring.signals.binning import bin_counts
>>> counts = bin_counts(measured["column:kind"], columns.edges("column:kind", measured["column:kind"]))
>>> counts.tolist(), round(columns.unseen("column:kind", counts), 2), round(missing(counts), 2)    # the bins: b, c, unseen, missing
([0, 1, 1, 1], 0.33, 0.33)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import Arrays, FloatArray, IntArray
from monitoring.signals.binning import class_edges, quantile_edges
from monitoring.signals.column import Column, quoted

#: Name of a column → its values (n,): numbers with NaN for what is missing, or texts with "" for it.
Table = Mapping[str, NDArray[Any]]

#: Columns that are watched, the first of a table: each is a dozen numbers in every worker and every scrape.
MOST = 64
_PREFIX = "column:"


@dataclass(frozen=True)
class Columns:
    """All columns, in the order of the table."""

    all: tuple[Column, ...]

    @classmethod
    def of(cls, table: Table) -> Columns:
        """Of the training rows, and of them alone: what the others hold must not be known."""
        return cls(tuple(Column.of(name, values) for name, values in table.items()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.all)

    @property
    def features(self) -> tuple[str, ...]:
        """What the places of an encoded row say, (width,)."""
        return tuple(feature for column in self.all for feature in column.features)

    @property
    def categories(self) -> dict[str, NDArray[Any] | None]:
        """The categories of each watched column, ascending; None for numbers."""
        return {column.name: column.categories for column in self.all[:MOST]}

    def table(self, objects: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
        """Rows as JSON has them, by the names of the columns; a name that is not there or null is a missing value.

        Raises ValueError, in one sentence, for a name that is no column's and for a value of another type than the column's.
        """
        known = set(self.names)
        for row in objects:
            if unknown := [name for name in row if name not in known]:
                raise ValueError(f"there is no column {quoted(unknown[0])}, expected {_listed(self.names)}")
        return {column.name: column.read([row.get(column.name) for row in objects]) for column in self.all}

    def encode(self, table: Table) -> NDArray[np.float32]:
        """The rows as a network takes them, (n, width)."""
        return np.hstack([column.encode(table[column.name]) for column in self.all])

    def decode(self, encoded: NDArray[Any]) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
        """The table that rows (n, width) are of, and which rows (n,) have a category in it that training did not know, "" here as well."""
        values, unknown = {}, np.zeros(len(encoded), np.bool_)
        for column, start, end in zip(self.all, self._starts, self._starts[1:], strict=False):
            values[column.name], of_column = column.decode(encoded[:, start:end])
            unknown |= of_column
        return values, unknown

    def signals(self, encoded: NDArray[Any]) -> dict[str, FloatArray]:
        """The values of each watched column as numbers (n,), out of rows (n, width); NaN is missing."""
        watched = zip(self.all[:MOST], self._starts[:MOST], self._starts[1:], strict=False)
        return {_PREFIX + column.name: column.signal(encoded[:, start:end]) for column, start, end in watched}

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
        categories = {f"categories/{place}": column.categories for place, column in enumerate(self.all) if column.categories is not None}
        return {
            "names": np.array(self.names, dtype=np.str_),
            "medians": np.array([column.median for column in self.all]),
            "traces": np.array([column.trace for column in self.all]),
            "marked": np.array([column.marked for column in self.all]),
            **categories,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Columns:
        each = zip(arrays["names"], arrays["medians"], arrays["traces"], arrays["marked"], strict=True)
        return cls(
            tuple(
                Column(str(name), arrays.get(f"categories/{place}"), float(median), float(trace), bool(marked))
                for place, (name, median, trace, marked) in enumerate(each)
            )
        )

    @cached_property
    def _starts(self) -> IntArray:
        """Where the places of each column begin, and where the last one's end."""
        return np.cumsum([0, *(len(column.features) for column in self.all)])

    @cached_property
    def _by_signal(self) -> dict[str, Column]:
        return {_PREFIX + column.name: column for column in self.all}

    @property
    def unordered(self) -> tuple[str, ...]:
        """The signals of categories, whose bins are in no order."""
        return tuple(signal for signal, column in self._by_signal.items() if column.categories is not None)

    def _known(self, signal: str) -> NDArray[Any] | None:
        return self._by_signal[signal].categories


def missing(counts: NDArray[Any]) -> float:
    """Share of the rows of a column that have no value, from the counts of its bins."""
    return float(counts[-1] / counts.sum()) if counts.any() else 0.0


def is_column(signal: str) -> bool:
    """Whether a signal is a column of a table."""
    return signal.startswith(_PREFIX)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
