"""A real PostgreSQL server for a test, in a folder of its own, reached by a socket there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: Debian keeps the server's programs out of PATH.
_DEBIAN = Path("/usr/lib/postgresql")


def find_programs() -> Path | None:
    """The folder with initdb and postgres; None where PostgreSQL is not installed."""
    newest = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name)) if _DEBIAN.is_dir() else []
    found = shutil.which("initdb")
    return newest[-1] if newest else Path(found).resolve().parent if found else None


@contextlib.contextmanager
def running(programs: Path, folder: Path) -> Iterator[str]:
    """Its URL. PostgreSQL refuses to be run by root, so then it is run by nobody."""
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
        for parent in folder.relative_to(tempfile.gettempdir()).parents:
            way = Path(tempfile.gettempdir()) / parent
            way.chmod(way.stat().st_mode | 0o011)
    run = {"cwd": folder, "user": user, "check": True, "capture_output": True, "timeout": 120}
    data, options = str(folder / "data"), f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    subprocess.run([programs / "initdb", "-D", data, "-U", "veleta", "-A", "trust", "--no-sync"], **run)  # type: ignore[call-overload]
    start = [programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start"]
    subprocess.run(start, **run | {"capture_output": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL})  # type: ignore[call-overload]
    try:
        yield f"postgresql://veleta@/postgres?host={folder}"
    finally:
        subprocess.run([programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], **run)  # type: ignore[call-overload]
