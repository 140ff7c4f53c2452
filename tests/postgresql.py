"""A real PostgreSQL server for a test, in a folder of its own, reached by a socket there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Debian keeps the server's programs out of PATH.
_DEBIAN = Path("/usr/lib/postgresql")


def find_programs() -> Path | None:
    """The folder with initdb and postgres; None where PostgreSQL is not installed."""
    newest = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name)) if _DEBIAN.is_dir() else []
    found = shutil.which("initdb")
    return newest[-1] if newest else Path(found).resolve().parent if found else None


class Running(NamedTuple):
    url: str
    folder: Path


@contextlib.contextmanager
def running(programs: Path) -> Iterator[Running]:
    """PostgreSQL refuses to be run by root, so then it is run by nobody. Its folder is none of pytest's: whenever another pytest starts, it
    takes the way to them away from anybody but root.
    """
    with tempfile.TemporaryDirectory(prefix="veleta-postgresql-") as name:
        folder = Path(name)
        if user := _user():
            shutil.chown(folder, user)
        _run(programs / "initdb", folder, "-U", "veleta", "-A", "trust", "--no-sync")
        start(programs, folder)
        try:
            yield Running(f"postgresql://veleta@/postgres?host={folder}", folder)
        finally:
            stop(programs, folder)


def start(programs: Path, folder: Path) -> None:
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    _run(programs / "pg_ctl", folder, "-w", "-o", options, "-l", str(folder / "log"), "start")


def stop(programs: Path, folder: Path) -> None:
    """At once, as if it had crashed; nothing if it has ended."""
    if (folder / "data/postmaster.pid").exists():
        _run(programs / "pg_ctl", folder, "-w", "-m", "immediate", "stop")


def _run(program: Path, folder: Path, *words: str) -> None:
    """What it starts keeps its output, so that is not waited for."""
    null, command = subprocess.DEVNULL, [program, "-D", str(folder / "data"), *words]
    subprocess.run(command, cwd=folder, user=_user(), check=True, stdout=null, stderr=null, timeout=120)


def _user() -> str | None:
    return "nobody" if os.geteuid() == 0 else None
