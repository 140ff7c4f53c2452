"""The label log: which labels have been counted, on disk before they are acknowledged.

A row is written once and never changed. That a label is new, repeated or contradicts is decided in the transaction that writes it, beside
which nobody else writes, so it does not matter which worker or machine gets it. Accuracy is added up from the log, never kept beside it;
where several machines share it, each counts what came to it, so that their counters add up.

What was predicted and what it is are class numbers or values.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.configuration import without_password
from models.errors import VeletaError
from monitoring.accuracy.labels import Labels
from monitoring.counts import event_store
from monitoring.counts.event_store import Postgresql, Session
from monitoring.counts.receipt import Receipt
from monitoring.counts.secret import make
from monitoring.subject import fingerprint

#: Rows read at a time, so that a long log is folded in parts; marks that are looked up at a time.
_MOST_ROWS, _MOST_MARKS = 100_000, 500
_INSERT = (
    "INSERT INTO labels (mark, subject, predicted, actual, confidence, predicted_at, labelled_at, replica) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class LogError(VeletaError):
    """The label log cannot be read or written now; nothing was acknowledged."""


@dataclass(frozen=True)
class Tail:
    """Labels after a place in the log, by subject, and the place they reach to."""

    seq: int
    labels: dict[bytes, Labels]

    def of(self, key: str) -> Labels:
        """The labels of a subject."""
        return self.labels.get(fingerprint(key), _labels([]))


@dataclass(frozen=True)
class Marked:
    """Labels after a place in the log by the marks of their receipts, whichever machine they came to, and the place they reach to."""

    seq: int
    labels: list[tuple[bytes, float]]


class LabelLog:
    """One connection to the log. Made after the fork; safe to use from several threads."""

    def __init__(self, place: str | Path, replica: str = "") -> None:
        """In a SQLite file, or a PostgreSQL database by its URL, where `replica` tells this machine from others."""
        self._lock, self._replica = threading.Lock(), replica
        #: Whether no network is between.
        self.is_here = isinstance(place, Path)
        try:
            self._store = event_store.open_store(place)
        except VeletaError:
            raise
        except Exception as error:  # each driver has its own
            raise self._failure(error, without_password(str(place))) from error

    def add(self, labels: Sequence[tuple[Receipt, float]], labelled_at: float) -> list[str]:
        """Remember labels (receipt, class number or value), all or none. `matched`, `duplicate` or `conflict` for each.

        When it returns they are on disk. Raises LogError, and then nothing was remembered.
        """
        with self._explained(self._store.writing) as session:
            known, new, results = self._known(session, [receipt.mark for receipt, _ in labels]), [], []
            for receipt, actual in labels:
                if receipt.mark not in known:
                    known[receipt.mark] = actual
                    new.append(self._row(receipt, actual, labelled_at))
                    results.append("matched")
                else:
                    results.append("duplicate" if known[receipt.mark] == actual else "conflict")
            if new:
                session.run(_INSERT, new)
        return results

    def since(self, seq: int) -> Tail:
        """What was remembered here after `seq`."""
        with self._explained(self._store.reading) as session:
            rows = session.rows(
                "SELECT seq, subject, predicted, actual, predicted_at, labelled_at, confidence FROM labels"
                " WHERE seq > ? AND replica = ? ORDER BY seq LIMIT ?",
                (seq, self._replica, _MOST_ROWS),
            )
        by_subject: dict[bytes, list[tuple[float, ...]]] = {}
        for _, subject, *row in rows:
            by_subject.setdefault(subject, []).append(tuple(row))
        return Tail(rows[-1][0] if rows else seq, {subject: _labels(found) for subject, found in by_subject.items()})

    def marked_since(self, seq: int) -> Marked:
        """What was remembered anywhere after `seq`."""
        with self._explained(self._store.reading) as session:
            rows = session.rows("SELECT seq, mark, actual FROM labels WHERE seq > ? ORDER BY seq LIMIT ?", (seq, _MOST_ROWS))
        return Marked(rows[-1][0] if rows else seq, [(mark, actual) for _, mark, actual in rows])

    def forget(self, predicted_before: float, seq: int) -> None:
        """Drop labels of predictions too old to be labelled again, as far as they have been added up here (to `seq`)."""
        with self._explained(self._store.writing) as session:
            session.run(
                "DELETE FROM labels WHERE predicted_at < ? AND (seq <= ? OR replica <> ?)", [(predicted_before, seq, self._replica)]
            )

    def secret(self) -> bytes:
        """The secret that all machines sign with which share the log; made now if there is none yet."""
        assert isinstance(self._store, Postgresql)
        with self._explained(self._store.reading):
            return self._store.secret(make())

    def close(self) -> None:
        with self._lock:
            self._store.close()

    def _known(self, session: Session, marks: Sequence[bytes]) -> dict[bytes, float]:
        """The labels that are there of these marks."""
        found: dict[bytes, float] = {}
        for start in range(0, len(marks), _MOST_MARKS):
            some = marks[start : start + _MOST_MARKS]
            places = ", ".join("?" * len(some))
            found |= dict(session.rows(f"SELECT mark, actual FROM labels WHERE mark IN ({places})", some))  # noqa: S608  only places
        return found

    def _row(self, receipt: Receipt, actual: float, labelled_at: float) -> tuple[object, ...]:
        predicted = receipt.subject, receipt.predicted, actual, receipt.confidence, receipt.predicted_at
        return receipt.mark, *predicted, labelled_at, self._replica

    @contextmanager
    def _explained(self, begin: Callable[[], AbstractContextManager[Session]]) -> Iterator[Session]:
        with self._lock:
            try:
                with begin() as session:
                    yield session
            except self._store.errors as error:
                raise self._failure(error, self._store.name) from error

    def _failure(self, error: Exception, name: str) -> LogError:
        return LogError(f"the event store {name} cannot be used: {_first_line(error)}; choose another with --events or VELETA_EVENTS")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _labels(rows: Iterable[tuple[float, ...]]) -> Labels:
    columns = list(zip(*rows, strict=True)) or [()] * 5
    predicted, actual, predicted_at, labelled_at, confidence = (np.array(column, dtype=np.float64) for column in columns)
    return Labels(predicted, actual, predicted_at, labelled_at, confidence)
