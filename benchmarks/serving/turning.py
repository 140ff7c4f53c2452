"""`veleta` whose workers watch and do not watch in turns, and write down what a request took of a processor in each. Only for measuring.

Two servers differ by how they happened to start, by more than monitoring takes; a process does not differ from itself.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy, as `veleta` does

import app.service
from monitoring.counts import recorder
from monitoring.counts.recorder import Recorder
from monitoring.counts.waiting import Sealed
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from veleta.__main__ import main

#: Short, since how fast a machine is changes from second to second.
TURN_SECONDS = 0.2
#: A turn that took longer was not under load all the time.
_LONGEST_SECONDS = 1.1 * TURN_SECONDS
#: Of the thread that counts: here only the loop does, in turns that are watched.
_NEVER_SECONDS = 3600.0


class Turns:
    """The turns of one worker. A line of its file is a pair of them: processor seconds for a request, watched and not, in an order that is
    drawn anew for each pair.
    """

    def __init__(self, file: Path) -> None:
        self.watches = False
        self._file, self._order, self._to_come = file, random.Random(os.getpid()), [True]
        self._seconds: dict[bool, float] = {}
        self._served, self._began, self._core = 0, time.monotonic(), time.process_time()

    def served(self, requests: int) -> bool:
        """So many more requests are served. Whether the turn is over."""
        self._served += requests
        return time.monotonic() - self._began >= TURN_SECONDS

    def go_on(self) -> None:
        """The next turn."""
        now, core = time.monotonic(), time.process_time()
        if now - self._began <= _LONGEST_SECONDS:
            self._seconds[self.watches] = (core - self._core) / self._served
        if not self._to_come:
            if len(self._seconds) == 2:
                with self._file.open("a", encoding="ascii") as file:
                    file.write(f"{self._seconds[True]} {self._seconds[False]}\n")
            self._seconds, self._to_come = {}, self._order.sample([True, False], 2)
        self.watches = self._to_come.pop()
        self._served, self._began, self._core = 0, now, core


class Turning(Recorder):
    """Takes every note, and forgets it in the turns that are not watched. It counts in the others, and half as often, since there are half
    as many notes, and writes the inputs that wait for labels at their end.
    """

    def __init__(self, folder: Path, *more: Any) -> None:
        super().__init__(folder, *more)
        (folder / "turns").mkdir(exist_ok=True)
        self._turns = Turns(folder / "turns" / f"{os.getpid()}")

    def began(self) -> None:
        if self._turns.watches:
            super().began()

    def queued(self, subject: Subject, seconds: list[float]) -> None:
        if self._turns.served(len(seconds)):
            if self._turns.watches and self._waiting:
                self._waiting.write()
            self._turns.go_on()
        if self._turns.watches:
            super().queued(subject, seconds)

    def predicted(self, subject: Subject, batch: Batch, inference_seconds: float, sealed: Sealed = ()) -> None:
        if self._turns.watches:
            super().predicted(subject, batch, inference_seconds, sealed)
        else:  # who samples is not to think that nobody came
            self._notes_of(subject).sampling.takes(len(batch), time.monotonic())
            if self._waiting:
                self._waiting.sampling(subject).takes(len(batch), time.monotonic())

    def count_many(self) -> None:
        if self._turns.watches:
            super().count_many()

    def requested(self, route: str, code: int, seconds: float) -> None:
        if self._turns.watches:
            super().requested(route, code, seconds)

    def answered(self, subject: Subject, route: str, took: tuple[float, ...]) -> None:
        if self._turns.watches:
            super().answered(subject, route, took)


def pairs(state: Path) -> list[list[tuple[float, float]]]:
    """The pairs of turns of each worker of a server with that state: processor seconds for a request, watched and not. Forgotten then."""
    found = []
    for file in sorted((state / "turns").iterdir()):
        lines = file.read_text(encoding="ascii").splitlines()
        found.append([(float(watched), float(unwatched)) for watched, unwatched in map(str.split, lines)])
        file.unlink()
    return found


if __name__ == "__main__":
    vars(app.service)["Recorder"] = Turning
    vars(recorder).update(_LOOP_SECONDS=2 * recorder._LOOP_SECONDS, _FLUSH_SECONDS=_NEVER_SECONDS)
    main()
