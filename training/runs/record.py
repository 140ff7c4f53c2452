"""The record of a store: one folder for each run, `<store>/.veleta/runs/<id>/`.

    run.json    replaced in one step, so that it is whole whenever its writer dies
    lock        held by the process that runs; the kernel frees it when that dies, however it dies

Ids count upwards; making the folder takes the number, so that several processes never share one. A run whose state is "running" but
whose lock is free was killed: it is read as "interrupted". To forget a run, remove its folder.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from models.parsing import MisfitError, parse
from training.errors import RunError
from training.runs.run import FORMAT, Plan, Run

if TYPE_CHECKING:
    from training.runs.running import Running


@dataclasses.dataclass(frozen=True)
class Record:
    """All runs of a store."""

    folder: Path

    @classmethod
    def of(cls, store: Path) -> Record:
        """The record of the store with that root."""
        return cls(store / ".veleta" / "runs")

    def ids(self) -> list[int]:
        """Those with something to read, oldest first."""
        return sorted(number for number in self._taken() if (self.folder / str(number) / "run.json").is_file())

    def read(self, number: int) -> Run:
        """One run. Raises RunError that says which there are, or what is wrong with the file."""
        folder = self.folder / str(number)
        if not (folder / "run.json").is_file():
            raise RunError(f"there is no run {number} in {self.folder}; `veleta runs` lists those there are")
        run = _read(folder / "run.json")
        if run.state != "running" or not is_free(folder / "lock"):
            return run
        run = _read(folder / "run.json")  # it may have come to its end between the two looks
        return run if run.state != "running" else dataclasses.replace(run, state="interrupted", error="its process was killed")

    def runs(self, name: str | None = None) -> tuple[list[Run], list[RunError]]:
        """Those of a name, newest first; and what is wrong with those that cannot be read."""
        found, damaged = [], []
        for number in reversed(self.ids()):
            try:
                found.append(self.read(number))
            except RunError as error:
                damaged.append(error)
        return [run for run in found if name in (None, run.plan.name)], damaged

    def start(self, plan: Plan, passed_seconds: float = 0.0) -> Running:
        """A run that is about to begin, or that began so long ago, to be used in a `with` statement. Raises RunError if the record cannot
        be written.
        """
        from training.runs.running import Running

        return Running(self, plan, passed_seconds)

    def take(self) -> tuple[int, TextIO]:
        """The next free number, and the lock of its run."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            number = max(self._taken(), default=0) + 1
            while not _made(self.folder / str(number)):
                number += 1
            lock = (self.folder / str(number) / "lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            raise self.unwritable(error) from error
        return number, lock

    def unwritable(self, error: OSError) -> RunError:
        return RunError(f"the record {self.folder} cannot be written: {error.strerror}; choose another store with --store DIR")

    def _taken(self) -> list[int]:
        entries = os.listdir(self.folder) if self.folder.is_dir() else []
        return [int(entry) for entry in entries if entry.isdecimal()]


def is_free(lock: Path) -> bool:
    """Whether nobody holds a lock. One that is not there is not free: nothing is known of its holder."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _made(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> Run:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); remove its folder to forget the run") from error
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise RunError(f"{path}: format is {data.get('format')!r}, this Veleta reads {FORMAT}; install the Veleta that wrote it")
    try:
        run: Run = parse(Run, data, "run")
    except MisfitError as error:
        raise RunError(f"{path}: {error}; remove its folder to forget the run") from error
    return run
