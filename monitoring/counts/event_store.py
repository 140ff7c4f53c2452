"""The event store: the database that labels are kept in. A SQLite file, or PostgreSQL where several machines share them.

Both speak the same SQL here, with `?` for values. Who writes is alone: so what others write is seen in the order of its numbers, and what
was looked up in the same transaction still holds. What goes wrong in a store is one of its `errors`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from models.configuration import without_password
from models.errors import VeletaError
from monitoring.counts.database import connect, writing

if TYPE_CHECKING:
    import psycopg

_SQLITE = (
    """
CREATE TABLE IF NOT EXISTS labels (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    mark BLOB NOT NULL UNIQUE,
    subject BLOB NOT NULL,
    predicted INTEGER NOT NULL,
    actual INTEGER NOT NULL,
    confidence REAL NOT NULL,
    predicted_at REAL NOT NULL,
    labelled_at REAL NOT NULL,
    replica TEXT NOT NULL DEFAULT ''
)
""",
    "CREATE INDEX IF NOT EXISTS labels_predicted_at ON labels (predicted_at)",  # finds what can be forgotten
)
_POSTGRESQL = (
    "CREATE SCHEMA IF NOT EXISTS veleta",
    """
CREATE TABLE IF NOT EXISTS veleta.labels (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mark BYTEA NOT NULL UNIQUE,
    subject BYTEA NOT NULL,
    predicted DOUBLE PRECISION NOT NULL,
    actual DOUBLE PRECISION NOT NULL,
    confidence DOUBLE PRECISION NOT NULL,
    predicted_at DOUBLE PRECISION NOT NULL,
    labelled_at DOUBLE PRECISION NOT NULL,
    replica TEXT NOT NULL
)
""",
    "CREATE INDEX IF NOT EXISTS labels_predicted_at ON veleta.labels (predicted_at)",
    "CREATE INDEX IF NOT EXISTS labels_replica ON veleta.labels (replica, seq)",
    "CREATE TABLE IF NOT EXISTS veleta.secret (one BOOLEAN PRIMARY KEY CHECK (one), secret TEXT NOT NULL)",
)
#: The lock that makes the tables; any number will do that no other program takes.
_MAKING = 0x76656C657461
#: Who waits for a statement holds up all others of its worker.
_CONNECT_SECONDS, _STATEMENT_SECONDS, _IDLE_SECONDS = 5, 10, 1.0
_SETTINGS = {"search_path": "veleta", "statement_timeout": f"{_STATEMENT_SECONDS}s"}


class Session(NamedTuple):
    """What can be done within a transaction."""

    cursor: Any
    mark: str

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self.cursor.execute(statement.replace("?", self.mark), values)
        found: list[tuple[Any, ...]] = self.cursor.fetchall()
        return found

    def run(self, statement: str, many: Iterable[Sequence[Any]]) -> None:
        """Once for each of the values."""
        self.cursor.executemany(statement.replace("?", self.mark), many)


class EventStore(Protocol):
    """One connection; one thread at a time."""

    #: As errors call it.
    name: str
    errors: tuple[type[Exception], ...]

    def writing(self) -> AbstractContextManager[Session]:
        """All that is done inside is on disk after it, or nothing of it; nobody else writes meanwhile."""
        ...

    def reading(self) -> AbstractContextManager[Session]: ...

    def close(self) -> None: ...


class Sqlite:
    """A file. Raises sqlite3.Error or OSError if it cannot be opened."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._database = connect(path, _SQLITE, "FULL")  # what was acknowledged outlives a power cut
        with writing(self._database):
            if "replica" not in [column for _, column, *_ in self._database.execute("PRAGMA table_info(labels)")]:
                self._database.execute("ALTER TABLE labels ADD COLUMN replica TEXT NOT NULL DEFAULT ''")

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with writing(self._database):
            yield Session(self._database.cursor(), "?")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        yield Session(self._database.cursor(), "?")

    def close(self) -> None:
        self._database.close()


class Postgresql:
    """A database by its URL, in a schema of its own. A connection that was lost is made anew when it is needed; when that fails, it is not
    tried again for as long as that took. Raises psycopg.Error if it cannot be opened, VeletaError if there is no driver for it.
    """

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise VeletaError("PostgreSQL needs psycopg, which is not installed: pip install 'veleta[postgresql]'") from error
        self.errors: tuple[type[Exception], ...] = (psycopg.Error,)
        self.name, self._url, self._psycopg = without_password(url), url, psycopg
        self._connection: psycopg.Connection[Any] | None = None
        self._used_at, self._next_try_at = 0.0, 0.0
        with self._connected() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
            for statement in _POSTGRESQL:
                connection.execute(statement)

    def secret(self, made: bytes) -> bytes:
        """The secret that all who share this store sign with: `made` if there is none yet."""
        with self._connected() as connection:
            connection.execute("INSERT INTO veleta.secret VALUES (TRUE, %s) ON CONFLICT DO NOTHING", (made.decode(),))
            found: str = connection.execute("SELECT secret FROM veleta.secret").fetchall()[0][0]
            return found.encode()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self._connected() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE labels IN SHARE ROW EXCLUSIVE MODE")
            yield Session(cursor, "%s")

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._connected() as connection, connection.cursor() as cursor:
            yield Session(cursor, "%s")

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        connection = self._living() or self._connect()
        try:
            yield connection
        finally:
            self._used_at = time.monotonic()
            if connection.broken:
                self._connection = None

    def _living(self) -> psycopg.Connection[Any] | None:
        """The connection, if it still is one: after a while the other end may have gone."""
        if self._connection and time.monotonic() - self._used_at > _IDLE_SECONDS:
            try:
                self._connection.execute("SELECT 1")
            except self._psycopg.Error:
                self._connection.close()
                self._connection = None
        return self._connection

    def _connect(self) -> psycopg.Connection[Any]:
        began = time.monotonic()
        if began < self._next_try_at:
            raise self._psycopg.OperationalError("it could not be reached a moment ago")
        try:
            self._connection = self._psycopg.connect(
                self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS, tcp_user_timeout=1000 * _STATEMENT_SECONDS
            )
            for setting in _SETTINGS.items():
                self._connection.execute("SELECT set_config(%s, %s, FALSE)", setting)
            # what was acknowledged outlives a power cut; who asks for more than that gets it
            self._connection.execute(
                "SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off'"
            )
        except self._psycopg.Error:
            self._next_try_at = 2 * time.monotonic() - began
            raise
        return self._connection


def open_store(place: str | Path) -> EventStore:
    """The store by its URL or in that file. Raises what the store's `errors` are, and VeletaError."""
    return Sqlite(place) if isinstance(place, Path) else Postgresql(place)
