"""The inputs that wait for their labels, and become examples with them: what `veleta refresh` learns from beside the original data.

SQLite, in a file that only its owner may read. There is room for so many bytes, and a label comes after a time that nobody knows. If the
oldest had to go first, a label that takes longer than the room takes to fill would never find its input. So every input has a chance u,
uniform between 0 and 1, and those go whose age · u is the largest. An input of age a is then still there with the probability

    min(1, h / a),  h as long as there is room for

at whatever traffic: early labels find nearly every input, late ones a share of them, drawn evenly. (Priority sampling with a weight of
1 / age: N. Duffield, C. Lund, M. Thorup, Journal of the ACM 54 (2007), article 32.) Examples stay; where they are more than half of what is
kept, the oldest of them go.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import VeletaError
from monitoring.arrays import FloatArray
from monitoring.counts.database import connect, writing
from monitoring.counts.label_log import LabelLog
from monitoring.counts.receipt import mark_of

_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS examples (
    mark BLOB NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    predicted_at REAL NOT NULL,
    chance REAL NOT NULL,
    actual REAL,
    dtype TEXT NOT NULL,
    shape TEXT NOT NULL,
    input BLOB NOT NULL
)
""",
    "CREATE INDEX IF NOT EXISTS waiting ON examples (predicted_at, chance) WHERE actual IS NULL",
    "CREATE INDEX IF NOT EXISTS labelled ON examples (subject, predicted_at) WHERE actual IS NOT NULL",
)
_READ = """
SELECT subject, predicted_at, dtype, shape, input, actual FROM examples
WHERE actual IS NOT NULL AND subject > ? AND subject < ? AND predicted_at >= ? ORDER BY predicted_at, mark
"""
_COUNT = "SELECT count(*) FROM examples WHERE actual IS NOT NULL AND subject > ? AND subject < ?"
_WAITING = "SELECT count(*) FROM examples WHERE actual IS NULL"
_DROP_WAITING = """
DELETE FROM examples WHERE rowid IN
    (SELECT rowid FROM examples WHERE actual IS NULL ORDER BY (:now - predicted_at) * chance DESC LIMIT :rows)
"""
_DROP_OLDEST = """
DELETE FROM examples WHERE rowid IN
    (SELECT rowid FROM examples WHERE actual IS NOT NULL ORDER BY predicted_at LIMIT :rows)
"""
#: Once there is no more room, so much of it is freed.
_FREED = 0.05
_log = logging.getLogger("veleta.examples")


class ExamplesError(VeletaError):
    """The file of examples cannot be read or written."""


@dataclass(frozen=True)
class Waiting:
    """Inputs (n, …) that a variant, by its key, has answered at a time in seconds since 1970, with the ids of the answers."""

    subject: str
    ids: Sequence[str]
    inputs: NDArray[Any]
    at: float


@dataclass(frozen=True)
class Example:
    """One input (…) with its label, a class number of the variant that answered it, or a value."""

    subject: str
    predicted_at: float
    input: NDArray[Any]
    actual: float


@dataclass(frozen=True)
class Alike:
    """Inputs (n, …) of one shape that one variant has answered, with the label and the time of each (n,)."""

    subject: str
    inputs: NDArray[Any]
    actual: FloatArray
    predicted_at: FloatArray


def alike(examples: Sequence[Example]) -> Iterator[Alike]:
    """All of them, those together that can be one array."""

    def kind(example: Example) -> tuple[str, tuple[int, ...]]:
        return example.subject, example.input.shape

    for (subject, _), group in groupby(sorted(examples, key=kind), key=kind):
        some = list(group)
        actual, predicted_at = np.array([(example.actual, example.predicted_at) for example in some]).T
        yield Alike(subject, np.stack([example.input for example in some]), actual, predicted_at)


class Examples:
    """One connection to the file. Made after the fork; safe to use from several threads."""

    def __init__(self, state: Path, most_bytes: float = math.inf) -> None:
        """In the folder of a server's state."""
        self._path, self._most_bytes = state / "examples.db", most_bytes
        self._lock = threading.Lock()
        with self._explained():
            self._database = connect(self._path, _SCHEMA, "NORMAL", mode=0o600)

    def keep(self, many: Iterable[Waiting]) -> None:
        """Keep inputs until their labels come."""
        with self._write():
            self._database.executemany(
                "INSERT OR IGNORE INTO examples (mark, subject, predicted_at, chance, dtype, shape, input) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row for waiting in many for row in _rows(waiting)),
            )

    def label(self, labels: Iterable[tuple[bytes, float]]) -> None:
        """Labels by the marks of the answers. What is not kept is passed over."""
        with self._write():
            self._database.executemany(
                "UPDATE examples SET actual = ? WHERE mark = ? AND actual IS NULL", ((actual, mark) for mark, actual in labels)
            )

    def label_from(self, log: LabelLog) -> None:
        """All labels of the log, also those that no tick has seen yet."""
        marked = log.marked_since(0)
        while marked.labels:
            self.label(marked.labels)
            marked = log.marked_since(marked.seq)

    def forget(self, predicted_before: float, now: float) -> None:
        """Drop what is too old to be labelled any more, and what there is no room for."""
        with self._write():
            self._database.execute("DELETE FROM examples WHERE actual IS NULL AND predicted_at < ?", (predicted_before,))
            self._make_room(now)

    def of(self, name: str, since: float = 0.0) -> list[Example]:
        """Those of a model, of all its versions, that were answered since then, the oldest first."""
        with self._lock, self._explained():
            rows = self._database.execute(_READ, (*_range(name), since)).fetchall()
        return [
            Example(subject, at, np.frombuffer(data, dtype).reshape(json.loads(shape)), actual)
            for subject, at, dtype, shape, data, actual in rows
        ]

    def count(self, name: str) -> int:
        """How many there are of a model."""
        with self._lock, self._explained():
            return self._number(_COUNT, _range(name))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _make_room(self, now: float) -> None:
        pages, free, size = (self._number(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "page_size"))
        if (used := (pages - free) * size) <= self._most_bytes:
            return
        everything, waiting = self._number("SELECT count(*) FROM examples"), self._number(_WAITING)
        rows = math.ceil(everything * (1 - (1 - _FREED) * self._most_bytes / used))
        self._database.execute(_DROP_WAITING if 2 * waiting >= everything else _DROP_OLDEST, {"now": now, "rows": rows})

    def _number(self, statement: str, values: tuple[str, ...] = ()) -> int:
        found: int = self._database.execute(statement, values).fetchone()[0]
        return found

    @contextmanager
    def _write(self) -> Iterator[None]:
        with self._lock, self._explained(), writing(self._database):
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            remedy = "remove it, or choose another folder with --state DIR" if damaged else "choose another folder with --state DIR"
            raise ExamplesError(f"the file of examples {self._path} cannot be used: {error}; {remedy}") from error


def _range(name: str) -> tuple[str, str]:
    """All keys of a model lie between these: `name/version/variant`."""
    return f"{name}/", f"{name}0"


def _rows(waiting: Waiting) -> Iterator[tuple[Any, ...]]:
    inputs = _as_bytes(waiting.inputs)
    dtype, shape = inputs.dtype.str, json.dumps(inputs.shape[1:])
    for receipt, row in zip(waiting.ids, inputs, strict=True):
        mark = mark_of(receipt)
        yield mark, waiting.subject, waiting.at, int.from_bytes(mark[:6], "big") / (1 << 48), dtype, shape, row.tobytes()


def _as_bytes(inputs: NDArray[Any]) -> NDArray[Any]:
    """What are whole numbers from 0 to 255, as pixels mostly are, takes a quarter of the room."""
    with np.errstate(invalid="ignore"):
        narrow = inputs.astype(np.uint8, copy=False)
    return narrow if np.array_equal(narrow, inputs) else np.ascontiguousarray(inputs)
