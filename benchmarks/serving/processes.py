"""Servers under test: started, waited for, weighed and ended, together with whatever they started themselves."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "benchmarks" / ".cache"
_SHARED_MEMORY = Path("/dev/shm")
_MIB = 1024.0  # /proc counts in KiB


class NotServing(Exception):
    """A server that did not answer; the message is the end of its log."""


@dataclass(frozen=True)
class Server:
    """A server that has answered once, started in that folder."""

    pid: int
    port: int
    start_seconds: float
    folder: Path

    @property
    def workers(self) -> list[int]:
        return children(self.pid)

    def memory_mib(self) -> float:
        """Of all its processes together; pages that several share are counted once (PSS)."""
        return sum(weigh(pid)["Pss"] for pid in (self.pid, *descendants(self.pid)))

    def core_seconds(self) -> float:
        """Processor time that its living processes have used."""
        ticks = sum(int(_stat(pid)[place]) for pid in (self.pid, *descendants(self.pid)) for place in (11, 12) if _stat(pid))
        return ticks / os.sysconf("SC_CLK_TCK")


def gunicorn_asgi(app: str, port: int, cores: int) -> list[str]:
    """What Python is given to run an ASGI app as Veleta runs its own: in the same worker class and with the same parser."""
    words = ["-m", "gunicorn", "--worker-class", "asgi", "--http-parser", "python", "--workers", str(cores), "--no-control-socket"]
    words += ["--log-level", "warning", "--bind", f"127.0.0.1:{port}"]
    if _SHARED_MEMORY.is_dir():
        words += ["--worker-tmp-dir", str(_SHARED_MEMORY)]
    return [*words, app]


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path], port: int, answers: Callable[[], bool], folder: Path, environ: Mapping[str, str], seconds: float = 90
) -> Iterator[Server]:
    """Run a server in a folder until it answers, hand it out, and end it. Raises NotServing."""
    log = folder / f"server-{port}.log"
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env=dict(environ), start_new_session=True)
    try:
        while not answers():
            if process.poll() is not None or time.perf_counter() - began > seconds:
                raise NotServing(log.read_text(encoding="utf-8", errors="replace").strip()[-400:] or "it ended without a word")
            time.sleep(0.005)
        yield Server(process.pid, port, time.perf_counter() - began, folder)
    finally:
        _end(process)


def environment(**more: str) -> dict[str, str]:
    """The environment without Veleta's settings of whoever runs this; other packages find this checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VELETA_", "PYTHON"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def weigh(pid: int) -> dict[str, float]:
    """Rss and Pss of a process in MiB; of one that has ended, 0."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return {"Rss": 0.0, "Pss": 0.0}
    found = {name: float(value.split()[0]) / _MIB for name, _, value in (line.partition(":") for line in lines)}
    return {"Rss": found["Rss"], "Pss": found["Pss"]}


def children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return sorted(found)


def descendants(pid: int) -> list[int]:
    return [found for child in children(pid) for found in (child, *descendants(child))]


def _end(process: subprocess.Popen[bytes], grace_seconds: float = 20) -> None:
    """In good order, and what is left of its family by force: some servers leave processes behind in sessions of their own."""
    family = {pid: _born(pid) for pid in descendants(process.pid)}
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=grace_seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid, born in family.items():
        if born and _born(pid) == born:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def _born(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty if there is none. A number alone may be another's by now."""
    found = _stat(pid)
    return found[19] if found else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; none if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
