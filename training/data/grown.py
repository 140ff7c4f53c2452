"""A data set that has grown: rows that came later are learnt from and judged by as well, each always in the same part.

A later row belongs where its equal is among the original rows, and else its own bytes draw the part. So whoever learnt from it once is
never judged by it, however many rows have come since. Where equal rows are copies (`training.data.twins`), one that brings nothing new,
since an equal row with its label is there, is left out: a client that sends the same thing 500 times is heard once.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitoring.arrays import IntArray
from training.data.parts import DataSet, Part, Split
from training.data.twins import Hashes, row_hashes

#: Of what is drawn, the shares of the test and of the validation part: as of a data set without a test part of its own.
_TEST, _VALIDATION = 0.2, 0.16


@dataclass(frozen=True)
class Grown(DataSet):
    """`later` rows are as the data set's own are before a split: of a table those of its frame."""

    original: DataSet | None = None
    later: Part | None = None

    @classmethod
    def of(cls, original: DataSet, later: Part, source: str, notes: tuple[str, ...]) -> Grown:
        """`source` is where they come from."""
        same = {field.name: getattr(original, field.name) for field in dataclasses.fields(DataSet)}
        told = {"source": f"{original.source}, and {source}", "notes": (*original.notes, *notes)}
        return cls(**{**same, **told}, original=original, later=later)

    @property
    def original_sha256(self) -> str | None:
        return self.original.sha256 if self.original else None

    @cached_property
    def sha256(self) -> str:
        hashed = hashlib.sha256((self.original_sha256 or "").encode())
        for array in (self.later.x, self.later.y) if self.later else ():
            hashed.update(np.ascontiguousarray(array).data)
        return hashed.hexdigest()

    def parted(self, seed: int, max_rows: int = 0) -> tuple[Split, tuple[str, ...]]:
        split, notes = super().parted(seed, max_rows)
        later = self.added(seed, max_rows)
        said = f"{len(later.train):,} of the rows that came later are learnt from, {len(later.validation):,} are for validation and "
        grown = (one.with_rows(more) for one, more in zip(_parts(split), _parts(later), strict=True))
        return Split(*grown), (*notes, f"{said}{len(later.test):,} for the test")

    def added(self, seed: int, max_rows: int = 0) -> Split:
        """The later rows of each part."""
        assert self.later
        split = super().parted(seed, max_rows)[0]
        hashes = _hashes(self.later)
        numbers, new = _drawn(hashes), np.ones(len(hashes), np.bool_)
        for number, part in enumerate(_parts(split)):
            numbers[np.isin(hashes, _hashes(part))] = number
        if self._copies:
            known = np.concatenate([_labelled(_hashes(part), part) for part in _parts(split)])
            found = _labelled(hashes, self.later)
            new[:] = False
            new[np.unique(found, return_index=True)[1]] = True
            new &= ~np.isin(found, known)
        return Split(*(self.later.take(np.flatnonzero(new & (numbers == number))) for number in range(3)))


def _parts(split: Split) -> tuple[Part, Part, Part]:
    return split.train, split.validation, split.test


def _hashes(part: Part) -> Hashes:
    """Of what a network can tell apart: production knows the numbers of a table as it took them."""
    return row_hashes(part.x.astype(np.float32) if part.x.dtype == np.float64 else part.x)


def _drawn(hashes: Hashes) -> IntArray:
    """The part of each row, by a number that its bytes give, uniform between 0 and 1."""
    drawn = np.array([int.from_bytes(one.tobytes()[:6], "big") / (1 << 48) for one in hashes])
    return np.where(drawn < _TEST, 2, np.where(drawn < _TEST + _VALIDATION, 1, 0)).astype(np.int64)


def _labelled(hashes: Hashes, part: Part) -> Hashes:
    """What rows share that are equal and have the same label."""
    return np.array([one.tobytes() + y.tobytes() for one, y in zip(hashes, part.y, strict=True)], dtype=f"V{16 + part.y.itemsize}")
