"""A real `veleta serve` in its own process, with what a test needs to talk to it."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[1]


class LiveServer:
    """A server under test. Ends only the processes that it started."""

    def __init__(self, store: Path, *flags: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        words = ["serve", "--store", str(store), "--port", str(self.port), *flags]
        self.log = store.parent / f"server-{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "veleta", *words], cwd=store.parent, stdout=log, stderr=log, env=clean_environment()
            )
        self.session = requests.Session()
        wait_for(self._ready, 30, lambda: self.log.read_text())

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, timeout=30, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.session.post(self.url + path, timeout=60, **options)

    def worker_pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name with labels."""
        return samples(self.get("/metrics").text)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self.log.read_text())
        with contextlib.suppress(requests.ConnectionError):
            return self.get("/readyz").status_code == 200
        return False


def samples(text: str) -> dict[str, float]:
    found = (re.fullmatch(r"(\S+?(?:\{.*\})?) (\S+)", line) for line in text.splitlines() if not line.startswith("#"))
    return {match[1]: float(match[2]) for match in found if match}


def total(found: dict[str, float], name: str, *labels: str) -> float:
    """The sum of the samples of a metric that carry all these labels."""
    return sum(
        value for key, value in found.items() if re.split(r"\{", key, maxsplit=1)[0] == name and all(label in key for label in labels)
    )


def wait_for(holds: Callable[[], Any], seconds: float = 15, explain: Callable[[], str] = lambda: "") -> Any:
    """What `holds` gives once it is true. Fails after so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not come true in {seconds} s {explain()}")


def free_port() -> int:
    """One to be bound at once: the kernel may give it to another test later."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def lasting_port() -> int:
    """One that the kernel gives to nobody who asks for any (Linux hands out those above 32767), for a server that starts minutes later."""
    for port in random.SystemRandom().sample(range(20_000, 32_768), 100):
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports between 20000 and 32767 are all in use")


def clean_environment() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VELETA_", "MAKE"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(store: Path, *flags: str) -> Iterator[LiveServer]:
    server = LiveServer(store, *flags)
    try:
        yield server
    finally:
        server.stop()
