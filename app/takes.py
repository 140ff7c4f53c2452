"""What a model takes at the door: arrays of its input's shape, and for a table also rows by the names of its columns."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import BadInput
from models.manifest import Input
from monitoring.signals.columns import Columns

#: What stands in an example for a category that training did not know.
_UNSEEN = "(another)"


@dataclass(frozen=True)
class Takes(Input):
    """The input of a manifest; `columns` say how a row of its table becomes what the network takes. None if it takes no table."""

    columns: Columns | None = None

    @classmethod
    def of(cls, taken: Input, columns: Columns | None) -> Takes:
        return cls(**{field.name: getattr(taken, field.name) for field in dataclasses.fields(Input)}, columns=columns)

    def is_row(self, value: Any) -> bool:
        """Whether a value of JSON is a row of the table: an object by the names of columns, or a list in their order that holds a text or
        null, which no array of numbers does.
        """
        if self.columns is None:
            return False
        if isinstance(value, dict):
            return "b64" not in value and (value.keys() != {self.name} or self.name in self.columns.names)
        known = isinstance(value, list) and len(value) == len(self.columns.names)
        return known and any(item is None or isinstance(item, str) for item in value)

    def holds_objects(self, values: Any) -> bool:
        """Whether a list of instances is one of objects by the names of columns."""
        return bool(self.columns and isinstance(values, list) and values and isinstance(values[0], dict) and self.is_row(values[0]))

    def holds_rows(self, values: Any) -> bool:
        """Whether a list of instances is one of rows of the table."""
        return self.columns is not None and isinstance(values, list) and any(map(self.is_row, values))

    def encode(self, rows: Sequence[Any]) -> NDArray[np.float32]:
        """Rows of the table as the network takes them, (n, width). Raises BadInput."""
        assert self.columns
        try:
            return self.columns.encode(self.columns.table([self._object(row) for row in rows]))
        except ValueError as error:
            raise BadInput(str(error)) from error

    def example(self, row: NDArray[Any]) -> Any:
        """A row that the network took as a client would send it: by the names of the columns if all of these are known, else as it is."""
        if self.columns is None or len(self.columns.categories) < len(self.columns.names):
            return row
        measured = self.columns.signals(row[None])
        return {
            name: _example(float(value[0]), known)
            for (name, known), value in zip(self.columns.categories.items(), measured.values(), strict=True)
        }

    def described(self) -> list[dict[str, Any]] | None:
        """The columns of the table for who fills in a row: name, and the categories of those that have some. None if it takes no table."""
        if self.columns is None:
            return None
        return [{"name": column.name, "categories": _texts(column.categories)} for column in self.columns.all]

    def _object(self, row: Any) -> dict[str, Any]:
        assert self.columns
        if isinstance(row, dict):
            return row
        if not isinstance(row, list) or len(row) != len(self.columns.names):
            raise BadInput(
                f"an instance is no row of {len(self.columns.names)} columns, expected all as objects by column, or all as lists"
            )
        return dict(zip(self.columns.names, row, strict=True))


def _texts(categories: NDArray[Any] | None) -> list[str] | None:
    return None if categories is None else list(map(str, categories.tolist()))


def _example(value: float, categories: NDArray[Any] | None) -> Any:
    if math.isnan(value):
        return None
    if categories is None:
        return float(f"{value:.7g}")  # as many digits as the network sees
    return str(categories[int(value)]) if value < len(categories) else _UNSEEN
