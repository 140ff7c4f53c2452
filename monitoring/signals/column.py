"""One column of a table: what training knew of it, how its values become places of the encoded row, and how those become a signal again.

>>> column = Column.of("kind", np.array(["b", "c", "b"]))
>>> places = column.encode(np.array(["c", "d", ""]))
>>> places.round(3).tolist(), column.signal(places).tolist()              # known, unknown, missing
([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]], [1.0, 2.0, nan])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray

#: What a missing category leaves where training never missed one: nothing to a network, and yet not zero.
_TRACE = np.float32(2.0**-20)
_LARGEST = float(np.finfo(np.float32).max)
#: Characters of a name or a value that an error quotes.
_QUOTED = 60


@dataclass(frozen=True)
class Column:
    """One column as training knew it. `categories` (k,) are ascending texts, None for numbers. `median` stands in for a missing number,
    `trace` for one that never was missing in training; `marked`: there is a place that says that the value is missing."""

    name: str
    categories: NDArray[Any] | None
    median: float
    trace: float
    marked: bool

    @classmethod
    def of(cls, name: str, values: NDArray[Any]) -> Column:
        """Of the training values (n,). Raises ValueError without any."""
        if not len(values):
            raise ValueError(f"the column {quoted(name)} has no training rows")
        absent = _missing(values)
        known, marked = values[~absent], bool(absent.any())
        if values.dtype.kind != "f":
            return cls(name, np.unique(known), 0.0, 0.0, marked)
        median = np.float32(np.median(known)) if len(known) else np.float32(0)
        widest = np.float32(max(1e-6, np.abs(known).max(initial=0)))
        return cls(name, None, float(median), float(median + np.spacing(widest)), marked)

    @property
    def features(self) -> tuple[str, ...]:
        """What the places of the encoded row say."""
        known = (self.name,) if self.categories is None else tuple(f"{self.name}={category}" for category in self.categories)
        return (*known, f"{self.name} missing") if self.marked else known

    def encode(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Values (n,) as (n, places)."""
        absent = _missing(values)
        places = self._numbers(values, absent) if self.categories is None else self._one_hot(values, absent)
        return np.column_stack([places, absent]).astype(np.float32, copy=False) if self.marked else places

    def _numbers(self, values: NDArray[Any], absent: NDArray[np.bool_]) -> NDArray[np.float32]:
        numbers = np.asarray(values, dtype=np.float32)
        if not self.marked:  # a number that is the trace by chance is told apart by moving it one step
            numbers = np.where(numbers == np.float32(self.trace), np.float32(self.median), numbers)
        return np.where(absent, np.float32(self.median if self.marked else self.trace), numbers)[:, None]

    def _one_hot(self, values: NDArray[Any], absent: NDArray[np.bool_]) -> NDArray[np.float32]:
        known = self.categories
        assert known is not None
        places = np.zeros((len(values), len(known)), dtype=np.float32)
        if len(known):
            at = np.minimum(np.searchsorted(known, values), len(known) - 1)
            found = np.flatnonzero(known[at] == values)
            places[found, at[found]] = 1
            if not self.marked:
                places[absent, 0] = _TRACE
        return places

    def signal(self, places: NDArray[Any]) -> FloatArray:
        """What was encoded, (n, places), as numbers (n,): the value, or the number of the category; NaN is missing."""
        absent = places[:, -1] > 0.5 if self.marked else places[:, :1].ravel() == (self.trace if self.categories is None else _TRACE)
        if self.categories is None:
            return np.where(absent, np.nan, places[:, 0].astype(np.float64))
        ones = places[:, : len(self.categories)] > 0.5
        number = np.where(ones.sum(axis=1) == 1, ones @ np.arange(len(self.categories)), len(self.categories))
        return np.where(absent, np.nan, number)

    def decode(self, places: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The values (n,) that were encoded, (n, places), and which of them are categories that training did not know."""
        signal = self.signal(places)
        if self.categories is None:
            return signal, np.zeros(len(signal), np.bool_)
        named = np.append(self.categories, "")
        number = np.where(np.isnan(signal), len(self.categories), signal).astype(np.int64)
        return named[number], ~np.isnan(signal) & (number == len(self.categories))

    def read(self, values: list[Any]) -> NDArray[Any]:
        """Values of JSON as the values of this column. Raises ValueError for another type."""
        read = self._number if self.categories is None else self._text
        return np.array([read(value) for value in values], dtype=np.float64 if self.categories is None else np.str_)

    def _number(self, value: Any) -> float:
        if value is None:
            return np.nan
        if type(value) not in (int, float):
            raise ValueError(f"the column {quoted(self.name)} has {quoted(value)}, expected a number, or null where it is missing")
        if not abs(value) <= _LARGEST:
            raise ValueError(f"the column {quoted(self.name)} has {quoted(value)}, expected a finite number within ±3.4e38")
        return float(value)

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return str(value).lower()  # as JSON writes it
        if not isinstance(value, (str, int)):
            raise ValueError(f"the column {quoted(self.name)} has {quoted(value)}, expected a text, or null where it is missing")
        return str(value)[: self._longest + 1]  # what is longer than any known category is unknown, however long it is

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self.categories if self.categories is not None else ()), default=0)


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """NaN among numbers, the empty string among words."""
    absent: NDArray[np.bool_] = np.isnan(values) if values.dtype.kind == "f" else values == ""
    return absent


def quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
