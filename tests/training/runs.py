"""Running the real command in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from models.store import Published, Store

#: The founding network, but with little data and few epochs.
SMALL = ("max_rows=1500", "epochs=4", "prune_epochs=2", "calibration_rows=128", "batch_size=32")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """A finished command: its exit code, what it wrote, and the store."""

    code: int
    out: str
    err: str
    store: Store

    @property
    def published(self) -> Published:
        return self.store.open("digits")


def veleta_train(store: Path, *arguments: str) -> Run:
    """Run the real `veleta train` in a process of its own."""
    return veleta(store, "train", *arguments)


def veleta(store: Path, command: str, *arguments: str) -> Run:
    """Run a real command in a process of its own."""
    command_line = [sys.executable, "-m", "veleta", command, "--store", str(store), *arguments]
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    return Run(done.returncode, done.stdout, done.stderr, Store(store))
