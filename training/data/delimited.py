"""CSV files as data frames: what the file is written in is found out first, and then pandas reads it.

The encoding is UTF-8 (or UTF-16 with its mark), else Windows-1252, which spreadsheets write; the delimiter is the comma, the semicolon,
the tab or the bar, whichever parts the first lines into the most, equally many values. The first line names the columns. Lines of
another number of values are refused: pandas would fill them up or take the first column for row numbers.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import warnings
from pathlib import Path

import pandas as pd

from training.errors import DataError

_DELIMITERS = ",;\t|"
#: Records by which the delimiter is chosen.
_FIRST = 100
#: What stands for a missing value, besides nothing at all: those of pandas, and the question mark of the UCI repository.
_MISSING = ["?"]
#: Numbers with a decimal comma, perhaps with points (or spaces) between thousands.
_DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}([. \u00a0\u202f]\d{3})+)(,\d+)?([eE][+-]?\d+)?")


def read_csv(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The file as a frame, and notes on how it was read. Raises DataError that names the file and the line."""
    text, notes = _text(path)
    delimiter = _delimiter(text, path)
    names = _check_lines(text, delimiter, path)
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            frame = pd.read_csv(
                io.StringIO(text), sep=delimiter, header=0, names=names, index_col=False, na_values=_MISSING, low_memory=False
            )
    except (ValueError, pd.errors.ParserWarning) as error:  # pandas' own errors are ValueErrors
        raise DataError(f"{path} cannot be read as CSV: {str(error).strip()[:200]}") from error
    if not len(frame):
        raise DataError(f"{path} has a first line with names and no rows; give it rows")
    return frame.apply(_numbers_with_commas) if delimiter != "," else frame, notes


def _text(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    notes: tuple[str, ...] = ()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text, notes = _from_windows(content, path), (f"{path.name} is not UTF-8; it was read as Windows-1252, so look at its letters",)
    if not text.strip():
        raise DataError(f"{path} is empty; expected a line with the names of the columns, and rows")
    if "\0" in text:
        raise DataError(f"{path} is no text, so it is no CSV file; a table is read from .csv, .tsv or .parquet")
    return text, notes


def _from_windows(content: bytes, path: Path) -> str:
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is neither UTF-8 nor Windows-1252; save it as UTF-8") from error


def _delimiter(text: str, path: Path) -> str:
    """The delimiter that parts the first records into the most, equally many values."""
    best, most = "", (False, 1)
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in itertools.islice(csv.reader(io.StringIO(text), delimiter=delimiter), _FIRST) if row]
        except csv.Error:
            continue
        if widths and widths[0] > 1 and (len(set(widths)) == 1, widths[0]) > most:
            best, most = delimiter, (len(set(widths)) == 1, widths[0])
    if not best:
        raise DataError(f"{path} has one column; expected at least two, parted by commas, semicolons, tabs or bars")
    return best


def _check_lines(text: str, delimiter: str, path: Path) -> list[str]:
    """The names of the columns. Raises DataError for a line that does not fit them."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        names = _names(next(row for row in reader if row), path)
        for row in reader:
            if row and len(row) != len(names):
                raise DataError(
                    f"line {reader.line_num} of {path} has {len(row)} values, expected {len(names)} as in its first; "
                    f"mend the line, or put quotes around values that hold a {delimiter!r}"
                )
    except csv.Error as error:
        raise DataError(f"line {reader.line_num} of {path} is no CSV: {error}") from error
    return names


def _names(first: list[str], path: Path) -> list[str]:
    names = [name.strip() or f"column {place}" for place, name in enumerate(first, 1)]
    if all(_is_number(name) for name in names):
        raise DataError(f"the first line of {path} has numbers only; it has to have the names of the columns")
    if repeated := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise DataError(f"{path} has two columns {repeated[:60]!r}; give each column a name of its own")
    return names


def _is_number(text: str) -> bool:
    try:
        return bool(float(text.replace(",", ".")) or True)
    except ValueError:
        return False


def _numbers_with_commas(column: pd.Series) -> pd.Series:
    """A column of words that are all numbers with a decimal comma, as numbers; any other as it is."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    words = column.dropna().astype(str).str.strip()
    if not words.str.contains(",").any() or not words.str.fullmatch(_DECIMAL_COMMA).all():
        return column
    plain = words.str.replace(r"[. \u00a0\u202f]", "", regex=True).str.replace(",", ".")
    return plain.astype(float).reindex(column.index)
