"""A CSV or Parquet table with a target column: which columns are numbers, which are categories, and which cannot be learnt from.

Left out, and said: columns of one value, row numbers and identifiers, dates, free text (words with too many different values to be
categories), and what is neither number nor word. Missing values are kept as such; rows without a target are left out.
"""

from __future__ import annotations

import datetime
import decimal
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.data.delimited import read_csv
from training.data.frame import Frame
from training.data.names import safe_name
from training.data.parquet import read_parquet
from training.data.parts import DataSet
from training.data.rows import Part
from training.data.targets import guess, known_classes, labels, values
from training.data.wanted import Wanted
from training.errors import DataError

#: Different words up to which a column is one of categories, and their greatest length.
_MOST_CATEGORIES = 100
_LONGEST = 200
#: Numbers that are all different, and rows from which on these may be identifiers.
_IDENTIFIER = re.compile(r"(.*[_ ])?(id|index|key|uuid|row|rownum|row_?number)|unnamed: \d+|column 1", re.IGNORECASE)
_ROWS = 20
_LARGEST = float(np.finfo(np.float32).max)


@dataclass
class _Reading:
    """The columns that are kept, and why others are not."""

    kept: dict[str, NDArray[Any]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def from_table(path: Path, wanted: Wanted) -> DataSet:
    """The data set in a file. Raises DataError that names the file and the column."""
    frame, notes = read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else read_csv(path)
    if frame.shape[1] < 2:
        raise DataError(f"{path} has {frame.shape[1]} column; expected a target and at least one to learn from")
    target = _target(frame, path, wanted)
    there = frame[target].notna().to_numpy() & (frame[target].astype(object) != "").to_numpy()
    if not there.all():
        notes += (f"{int((~there).sum()):,} rows without a value of {target!r} were left out",)
        frame = frame[there]
    classes, y = _answers(column_values(frame[target], target, path), f"the column {target!r} of {path}", wanted)
    reading = _Reading()
    for name in frame.columns.drop(target):
        _judge(str(name), frame[name], reading, path)
    if not reading.kept:
        raise DataError(f"{path} has no column to learn {target!r} from; left out were {'; '.join(reading.left_out)[:500]}")
    if reading.left_out:
        notes += ("columns left out: " + "; ".join(reading.left_out),)
    rows, x = Frame.of(reading.kept)
    asked = f"the target is {target!r}: " + (f"{len(classes)} classes" if classes else "values")
    return DataSet(safe_name(path.stem), f"the table {path.name}", classes, Part(x, y), kind="tabular", frame=rows, notes=(asked, *notes))


def _target(frame: pd.DataFrame, path: Path, wanted: Wanted) -> str:
    target = wanted.target if wanted.target is not None else str(frame.columns[-1])
    if target not in frame.columns:
        raise DataError(f"{path} has no column {target[:60]!r}; it has {', '.join(map(repr, frame.columns[:20]))}")
    return target


def _answers(found: NDArray[Any] | str, what: str, wanted: Wanted) -> tuple[tuple[str, ...], NDArray[Any]]:
    if isinstance(found, str):
        raise DataError(f"{what} {found}, which is no target; give another with --target")
    if not len(found):
        raise DataError(f"{what} has no value in any row; give another with --target")
    if (wanted.task or guess(found)) == "regression":
        return (), values(found, what)
    given = labels(found, what)
    known = known_classes(given, what)
    return tuple(map(str, known.tolist())), np.searchsorted(known, given).astype(np.int64)


def _judge(name: str, column: pd.Series, reading: _Reading, path: Path) -> None:
    found = column_values(column, name, path)
    reason = found if isinstance(found, str) else _reason_against(name, found)
    if reason or isinstance(found, str):
        reading.left_out.append(f"{name!r} {reason}")
    else:
        reading.kept[name] = found


def _reason_against(name: str, found: NDArray[Any]) -> str | None:
    """Why values (n,) cannot be learnt from, as the end of a sentence, or None."""
    numbers = found.dtype.kind == "f"
    there = found[~np.isnan(found)] if numbers else found[found != ""]
    different = len(np.unique(there))
    if different + (len(there) < len(found)) < 2:
        return "has one value only" if len(there) else "has no values"
    if numbers:
        each_its_own = different == len(found) >= _ROWS and bool((there == np.floor(there)).all())
        numbering = each_its_own and (bool((np.diff(found) == 1).all()) or _IDENTIFIER.fullmatch(name) is not None)
        return "numbers the rows" if numbering else None
    if different > _MOST_CATEGORIES or (different > _ROWS and different > len(there) / 2):
        return f"is a text with {different:,} different values in {len(found):,} rows, too many for categories"
    return None


def column_values(column: pd.Series, name: str, path: Path) -> NDArray[Any] | str:
    """A column as float64 with NaN or as texts with "" for what is missing; or what it is instead, as the end of a sentence.

    Raises DataError for numbers that are infinite or too large.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        return "is a date; to learn from it, give it as a number, such as days"
    if pd.api.types.is_bool_dtype(column) and column.dtype != object:
        return _words(column.astype(object))
    if pd.api.types.is_complex_dtype(column):
        return "is of complex numbers"
    if pd.api.types.is_numeric_dtype(column):
        return _numbers(column, name, path)
    return _of_objects(column.astype(object), name, path)


def _of_objects(column: pd.Series, name: str, path: Path) -> NDArray[Any] | str:
    kinds = {type(value) for value in column[column.notna()]}
    if kinds <= {int, float, decimal.Decimal} and kinds:
        return _numbers(column, name, path)
    if kinds <= {datetime.date, datetime.datetime, datetime.time, pd.Timestamp} and kinds:
        return "is a date; to learn from it, give it as a number, such as days"
    if kinds <= {str, bool, int, float, bytes}:
        return _words(column)
    return f"holds {next(kind.__name__ for kind in kinds if kind not in (str, bool, int, float, bytes))}s, neither numbers nor words"


def _numbers(column: pd.Series, name: str, path: Path) -> NDArray[Any]:
    try:
        numbers: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError:
        numbers = np.array([np.inf])
    with np.errstate(invalid="ignore"):
        if (np.abs(numbers) > _LARGEST).any():
            raise DataError(f"the column {name!r} of {path} has a value that is infinite or beyond ±3.4e38; mend it or leave it empty")
    return numbers


def _words(column: pd.Series) -> NDArray[Any] | str:
    texts = ["" if absent else _word(value) for value, absent in zip(column, column.isna(), strict=True)]
    if (longest := max(map(len, texts), default=0)) > _LONGEST:
        return f"is a text of up to {longest:,} characters, too long for categories"
    return np.array(texts, dtype=np.str_)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()
