"""Counts in memory that all workers share: a file mapped by each, one row a worker, which only that worker adds to.

No lock is needed, a scrape sums the rows, and a worker that is killed leaves its row behind for the one that takes its place: so
no count ever goes back, and the file does not grow, however many workers come and go.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import VeletaError
from monitoring.arrays import FloatArray
from monitoring.counts.layout import Layout

#: Workers that can count at the same time; while they are replaced, the old and the new ones.
SLOTS = 64


@dataclass(frozen=True)
class Slot:
    """A worker's place. `lock` is held as long as the worker lives; the kernel frees it."""

    number: int
    lock: IO[bytes]


def claim_slot(folder: Path) -> Slot:
    """The first free place. Raises VeletaError if all are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SLOTS):
        lock = (folder / str(number)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
        else:
            return Slot(number, lock)
    raise VeletaError(f"all {SLOTS} places for workers in {folder} are taken; start fewer with --workers N")


class SharedCounts:
    """One mapped file of counts: rows (SLOTS, layout.size)."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.layout = layout
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.ftruncate(fd, SLOTS * layout.size * 8)
            with os.fdopen(os.dup(fd), "r+b") as file:
                # As a plain array: what NumPy does around each step with its own class of mapped ones takes longer than the step.
                self.rows: NDArray[Any] = np.asarray(np.memmap(file, dtype=np.float64, mode="r+", shape=(SLOTS, layout.size)))
        finally:
            os.close(fd)

    def row(self, slot: Slot) -> FloatArray:
        """The row of a worker, to add to in place."""
        row: FloatArray = self.rows[slot.number]
        return row

    def total(self) -> FloatArray:
        """The sum over all workers, those that are gone included."""
        total: FloatArray = self.rows.sum(axis=0)
        return total


def server_counts(folder: Path, layout: Layout) -> SharedCounts:
    """What a server counts whatever the model."""
    return SharedCounts(folder / f"server.{layout.fingerprint}.counts", layout)


def subject_counts(folder: Path, key: str, layout: Layout) -> SharedCounts:
    """The counts of a subject, `key` being name/version/variant. A new meaning of the numbers begins a new file."""
    return SharedCounts(folder / f"{key}.{layout.fingerprint}.counts", layout)


def counted_keys(folder: Path) -> list[str]:
    """The subjects that have counts, by key."""
    return sorted({str(path.relative_to(folder)).rsplit(".", 2)[0] for path in folder.glob("*/*/*.counts")})


def alive(parts: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Which rows belong to a process that lives. `parts` is a server's layout split over all rows."""
    return np.array([_exists(int(pid)) for pid in parts["pid"].ravel()])


def _exists(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
