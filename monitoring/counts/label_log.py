"""The label log: which labels have been counted, on disk before they are acknowledged. SQLite.

A row is written once and never changed. That a label is new, repeated or contradicts is decided by the database in the transaction
that writes it, so it does not matter which worker gets it. Accuracy is added up from the log, never kept beside it.

What was predicted and what it is are class numbers or values: SQLite keeps a number that is not whole as it is, whatever its column says.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import VeletaError
from monitoring.accuracy.labels import Labels
from monitoring.counts.database import connect, writing
from monitoring.counts.receipt import Receipt
from monitoring.subject import fingerprint

_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS labels (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    mark BLOB NOT NULL UNIQUE,
    subject BLOB NOT NULL,
    predicted INTEGER NOT NULL,
    actual INTEGER NOT NULL,
    confidence REAL NOT NULL,
    predicted_at REAL NOT NULL,
    labelled_at REAL NOT NULL
)
""",
    "CREATE INDEX IF NOT EXISTS labels_predicted_at ON labels (predicted_at)",  # finds what can be forgotten
)
#: Rows read at a time, so that a long log is folded in parts.
_MOST_ROWS = 100_000


class LogError(VeletaError):
    """The label log cannot be read or written now; nothing was acknowledged."""


@dataclass(frozen=True)
class Tail:
    """Labels after a place in the log, by subject, and the place they reach to; `marked`: each by the mark of its receipt."""

    seq: int
    labels: dict[bytes, Labels]
    marked: tuple[tuple[bytes, float], ...]

    def of(self, key: str) -> Labels:
        """The labels of a subject."""
        return self.labels.get(fingerprint(key), _labels([]))


class LabelLog:
    """One connection to the log. Made after the fork; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._database = connect(path, _SCHEMA, "FULL")  # an acknowledged label outlives a power cut
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error) from error

    def add(self, labels: Sequence[tuple[Receipt, float]], labelled_at: float) -> list[str]:
        """Remember labels (receipt, class number or value), all or none. `matched`, `duplicate` or `conflict` for each.

        When it returns they are on disk. Raises LogError, and then nothing was remembered.
        """
        with self._lock:
            try:
                with writing(self._database):
                    results = [self._add(receipt, actual, labelled_at) for receipt, actual in labels]
            except sqlite3.Error as error:
                raise self._failure(error) from error
        return results

    def since(self, seq: int) -> Tail:
        """What was remembered after `seq`."""
        with self._lock:
            try:
                rows = self._database.execute(
                    "SELECT seq, mark, subject, predicted, actual, predicted_at, labelled_at, confidence FROM labels"
                    " WHERE seq > ? ORDER BY seq LIMIT ?",
                    (seq, _MOST_ROWS),
                ).fetchall()
            except sqlite3.Error as error:
                raise self._failure(error) from error
        by_subject: dict[bytes, list[tuple[float, ...]]] = {}
        for _, _, subject, *row in rows:
            by_subject.setdefault(subject, []).append(tuple(row))
        labels = {subject: _labels(found) for subject, found in by_subject.items()}
        return Tail(rows[-1][0] if rows else seq, labels, tuple((mark, actual) for _, mark, _, _, actual, *_ in rows))

    def forget(self, predicted_before: float, seq: int) -> None:
        """Drop labels of predictions too old to be labelled again, as far as they have been added up (to `seq`)."""
        with self._lock:
            self._database.execute("DELETE FROM labels WHERE predicted_at < ? AND seq <= ?", (predicted_before, seq))

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _add(self, receipt: Receipt, actual: float, labelled_at: float) -> str:
        cursor = self._database.execute(
            "INSERT INTO labels (mark, subject, predicted, actual, confidence, predicted_at, labelled_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (mark) DO NOTHING",
            (receipt.mark, receipt.subject, receipt.predicted, actual, receipt.confidence, receipt.predicted_at, labelled_at),
        )
        if cursor.rowcount == 1:
            return "matched"
        (known,) = self._database.execute("SELECT actual FROM labels WHERE mark = ?", (receipt.mark,)).fetchone()
        return "duplicate" if known == actual else "conflict"

    def _failure(self, error: Exception) -> LogError:
        return LogError(f"the event store {self._path} cannot be used: {error}; choose another with --events FILE or VELETA_EVENTS")


def _labels(rows: Iterable[tuple[float, ...]]) -> Labels:
    columns = list(zip(*rows, strict=True)) or [()] * 5
    predicted, actual, predicted_at, labelled_at, confidence = (np.array(column, dtype=np.float64) for column in columns)
    return Labels(predicted, actual, predicted_at, labelled_at, confidence)
