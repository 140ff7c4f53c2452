"""Capture: the inputs that were answered last, kept for an incident to show. Off unless it is switched on, since inputs may be private.

Each worker has a ring of rows for each subject, one file in the state folder that only its owner may read. A ring is gone when its
worker stops, or when the next one takes the place of a worker that was killed.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.arrays import FloatArray
from monitoring.signals.measure import Batch


@dataclass(frozen=True)
class Captured:
    """Rows that were answered, with the time of each in seconds since 1970 (n,)."""

    at: FloatArray
    batch: Batch


class Capture:
    """The rings of one worker, `rows` rows each; 0: none, and what was captured before is removed."""

    def __init__(self, folder: Path, slot: int, rows: int) -> None:
        self._folder, self._slot, self._rows = folder, slot, rows
        self._rings: dict[str, _Ring] = {}
        if rows:
            self._forget()
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, key: str, batch: Batch) -> None:
        """Keep the last of the rows that a subject has answered."""
        if not self._rows:
            return
        if key not in self._rings:
            self._rings[key] = _Ring.make(self._folder / f"{_file_name(key)}.{self._slot}.npy", self._rows, batch)
        self._rings[key].add(batch, time.time())

    def close(self) -> None:
        """Remove what this worker has captured."""
        self._rings.clear()
        self._forget()

    def _forget(self) -> None:
        for path in self._folder.glob(f"*.{self._slot}.npy"):
            path.unlink(missing_ok=True)


@dataclass
class _Ring:
    rows: NDArray[np.void]
    next: int = 0

    @classmethod
    def make(cls, path: Path, rows: int, like: Batch) -> _Ring:
        """A file of empty rows; whoever reads an older one of that name goes on reading that."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        parts = {name: getattr(like, name) for name in ("inputs", "outputs", "embeddings")}
        dtype = np.dtype([("at", np.float64), *((name, _dtype(part), part.shape[1:]) for name, part in parts.items())])
        staged = path.with_suffix(".new")
        os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        ring = np.lib.format.open_memmap(staged, mode="w+", dtype=dtype, shape=(rows,))
        staged.replace(path)
        return cls(ring)

    def add(self, batch: Batch, now: float) -> None:
        """Rows of another shape than the first, as sequences of other lengths, are left out."""
        if any(getattr(batch, name).shape[1:] != self.rows[name].shape[1:] for name in ("inputs", "outputs", "embeddings")):
            return
        count = min(len(batch), len(self.rows))
        places = (self.next + np.arange(count)) % len(self.rows)
        for name in ("inputs", "outputs", "embeddings"):
            self.rows[name][places] = getattr(batch, name)[-count:]
        self.rows["at"][places] = now
        self.next = int(places[-1] + 1) % len(self.rows) if count else self.next


def _dtype(part: NDArray[Any]) -> np.dtype[Any]:
    """Pixels that come as bytes may come as other numbers later."""
    return np.dtype(np.float32) if part.dtype == np.uint8 else part.dtype


def captured(folder: Path, key: str) -> list[Captured]:
    """What all workers have captured of a subject, a worker at a time; nothing if capturing is off."""
    found = []
    for path in sorted(folder.glob(f"{_file_name(key)}.*.npy")):
        try:
            rows = np.load(path, allow_pickle=False)  # a copy: its worker goes on writing
        except (OSError, ValueError, EOFError):  # its worker has just gone
            continue
        rows = rows[rows["at"] > 0]
        found.append(Captured(rows["at"], Batch(rows["inputs"], rows["outputs"], rows["embeddings"])))
    return found


def _file_name(key: str) -> str:
    return key.replace("/", ".")
