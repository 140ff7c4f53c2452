"""What a newcomer has after `make run`: a copy of the checkout, a trained model, a server."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.live_server import ROOT, clean_environment, lasting_port, wait_for


@dataclass(frozen=True)
class Made:
    """The copy of the checkout and the port that it serves on."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def make_run(folder: Path) -> Iterator[Made]:
    """`make run` in a fresh copy of the checkout, which shares only what is installed."""
    made = Made(folder / "checkout", lasting_port())
    _copy_checkout(made.folder)
    log = folder / "make-run.log"
    environment = clean_environment() | {"VELETA_PORT": str(made.port), "VELETA_WORKERS": "4", "VELETA_TICK_SECONDS": "0.5"}
    for name in ("PYTHONPATH", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):  # as a person has it, and with every processor:
        environment.pop(name, None)  # nothing in the tests takes longer than this training and what follows it
    with log.open("wb") as output:
        process = subprocess.Popen(["make", "run"], cwd=made.folder, stdout=output, stderr=output, env=environment, start_new_session=True)
    try:
        wait_for(lambda: process.poll() is not None or _ready(made), 800, log.read_text)
        assert process.poll() is None, log.read_text()
        assert f"curl -s {made.url}/samples/digits/0.png" in log.read_text(), log.read_text()
        yield made
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def _copy_checkout(target: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").mkdir()
    for part in (ROOT / ".venv").iterdir():
        if part.name != ".installed":
            (target / ".venv" / part.name).symlink_to(part)
    (target / ".venv/.installed").touch()  # newer than what it was made from, or make would install the copy over the checkout


def _ready(made: Made) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{made.url}/readyz", timeout=5).status_code == 200
    return False
