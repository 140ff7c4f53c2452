"""Parquet files as data frames, by fastparquet: 4 MB with what it needs beyond pandas, where pyarrow and polars have 55."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from training.errors import DataError


def read_parquet(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The file as a frame, and no notes. Raises DataError that names the file."""
    from fastparquet import ParquetFile  # starts slowly: only where it is needed

    try:
        with path.open("rb") as file:
            frame: pd.DataFrame = ParquetFile(file).to_pandas(index=False)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever a damaged file makes of the decoder
        raise DataError(
            f"{path} cannot be read as Parquet ({type(error).__name__}: {str(error).strip()[:150]}); if others can read it, write it again "
            "with data pages of version 1 and plain or dictionary encoding, as is usual"
        ) from error
    frame.columns = frame.columns.astype(str)
    if repeated := next((name for name, again in zip(frame.columns, frame.columns.duplicated(), strict=True) if again), None):
        raise DataError(f"{path} has two columns {repeated[:60]!r}; give each column a name of its own")
    if not len(frame):
        raise DataError(f"{path} has no rows; give it rows")
    return frame, ()
