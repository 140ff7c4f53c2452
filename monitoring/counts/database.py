"""A SQLite file that several processes write, each with a connection of its own."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: How long one that writes waits for another.
_WAIT_SECONDS = 10


def connect(path: Path, schema: Sequence[str], synchronous: str, mode: int = 0o666) -> sqlite3.Connection:
    """A connection to the file, which is made with its tables if it is not there. Several threads may have it, one at a time.

    `synchronous` is SQLite's: FULL if what was written has to outlive a power cut. `mode` is that of a file that is made, less the umask;
    SQLite gives it to the files beside it as well. Raises sqlite3.Error or OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # SQLite does not wait for another process that changes the journal's mode
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, mode))
        database = sqlite3.connect(path, timeout=_WAIT_SECONDS, check_same_thread=False, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        for statement in schema:
            database.execute(statement)
    return database


@contextmanager
def writing(database: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside is there after it, or nothing of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        database.rollback()
        raise
