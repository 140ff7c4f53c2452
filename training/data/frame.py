"""A table as numbers: every column a column of one matrix, words as their place among all words of the column, what is missing as NaN.

It is how a table is split and hashed like any other data. Nothing is learnt from rows here; see monitoring.signals.columns for what is.

>>> frame, x = Frame.of({"age": np.array([1.5, np.nan]), "kind": np.array(["b", ""])})
>>> x.tolist()
[[1.5, 0.0], [nan, nan]]
>>> {name: values.tolist() for name, values in frame.table(x[::-1]).items()}
{'age': [nan, 1.5], 'kind': ['', 'b']}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.signals.columns import Table


@dataclass(frozen=True)
class Frame:
    """The columns of the matrix; `words` of each one ascending, None for numbers."""

    names: tuple[str, ...]
    words: tuple[NDArray[Any] | None, ...]

    @classmethod
    def of(cls, table: Table) -> tuple[Frame, NDArray[np.float64]]:
        """The frame of a table and its rows as (n, columns)."""
        words, columns = [], []
        for values in table.values():
            known = None if values.dtype.kind == "f" else np.unique(values[values != ""])
            columns.append(_places(values, known))
            words.append(known)
        return cls(tuple(table), tuple(words)), np.column_stack(columns)

    def rows(self, table: Table) -> NDArray[np.float64]:
        """A table as rows (n, columns), with the words of this frame; what is none of them is missing."""
        return np.column_stack([_places(table[name], words) for name, words in zip(self.names, self.words, strict=True)])

    def table(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Rows (n, columns) as a table again."""
        return {name: _words(x[:, place], self.words[place]) for place, name in enumerate(self.names)}

    def content(self) -> bytes:
        """What tells this frame from others, to be hashed."""
        words = [None if known is None else known.tolist() for known in self.words]
        return repr((self.names, words)).encode()


def _places(values: NDArray[Any], known: NDArray[Any] | None) -> NDArray[Any]:
    if known is None:
        return values + 0.0
    there = np.isin(values, known)
    return np.where(there, np.searchsorted(known, values), np.nan)


def _words(values: NDArray[Any], known: NDArray[Any] | None) -> NDArray[Any]:
    if known is None:
        return values
    absent = np.isnan(values)
    with_missing = np.append(known, "")
    return with_missing[np.where(absent, len(known), values).astype(np.int64)]
