"""The recorder: what a worker notes of its requests, and how the notes turn into counts.

A request only leaves a note. Notes are counted together in one vectorized step: by the event loop when there are many or it is time, and
else by a thread, about four times a second. A thread that counts while the loop answers takes turns with it, so that each request in
that time waits for it several times; the loop counts between two answers, and once for hundreds of rows. A worker that is killed takes at
most the notes of the last half of a second with it.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from monitoring.arrays import FloatArray
from monitoring.counts.capture import Capture
from monitoring.counts.costs import Costs
from monitoring.counts.kept import Kept
from monitoring.counts.layout import BATCH_BOUNDS, CODES, DURATION_BOUNDS, FEEDBACK_RESULTS, REJECTIONS, observe, server_layout
from monitoring.counts.notes import take
from monitoring.counts.sampling import Sampling
from monitoring.counts.shared_counts import claim_slot, server_counts, subject_counts
from monitoring.signals.duplicates import Recent
from monitoring.signals.measure import QUALITY_CHECKS, Batch, quality
from monitoring.subject import Subject

_log = logging.getLogger("veleta.recorder")
Note = TypeVar("Note", bound=tuple[Any, ...])
#: With 2,400 rows a second, a row takes 9 µs to count this often, and 16 ten times a second: a flush costs what a hundred rows do.
_FLUSH_SECONDS = 0.25
#: So many rows are counted at once, at most. Whoever waits meanwhile waits for seven milliseconds: one request in so many of a connection.
_MANY_ROWS = 2048
#: Fewer, but more than these, are counted when so long has passed: before the thread would.
_SOME_ROWS, _LOOP_SECONDS = 64, 0.2
#: Rows of one kind that are kept, and their bytes, at most: the request that finds no room counts them.
_MOST_KEPT_ROWS, _MOST_KEPT_BYTES = 2 * _MANY_ROWS, 1 << 24
_OK = 200


class Recorder:
    """The notes of one worker process. Made after the fork."""

    def __init__(self, folder: Path, routes: tuple[str, ...], capture_rows: int = 0, watch_limit: float = 0) -> None:
        self._folder = folder
        self.slot = claim_slot(folder / "slots")
        server = server_counts(folder / "counts", server_layout(routes))
        self._server = server.layout.split(server.row(self.slot))
        self._server["pid"][0], self._server["in_flight"][0] = os.getpid(), 0
        self._costs = Costs(folder / "costs", self.slot)
        self._capture = Capture(folder / "captured", self.slot.number, capture_rows)
        self._routes = {route: place for place, route in enumerate(routes)}
        self._subjects: dict[str, dict[str, FloatArray]] = {}
        self._kept: dict[str, list[tuple[Subject, Kept]]] = defaultdict(list)
        self._keeping = threading.Lock()  # for as long as it takes to copy
        self._sampling: dict[str, Sampling] = defaultdict(partial(Sampling, watch_limit, np.random.default_rng()))
        self._unwatched: deque[tuple[Subject, FloatArray]] = deque()
        self._called: deque[tuple[Subject, int, float]] = deque()
        self._queued: deque[tuple[Subject, list[float]]] = deque()
        self._requested: dict[tuple[str, int], deque[float]] = defaultdict(deque)
        self._answered: dict[tuple[str, str], deque[tuple[float, ...]]] = defaultdict(deque)
        self._begun: deque[None] = deque()  # a note for each, as all else here: a lock would wait while the thread counts
        self._in_flight = 0
        self._rows, self._flushed_at = 0, -math.inf
        self._recent: dict[str, Recent] = defaultdict(Recent)
        self._noted, self._counting, self._stop = threading.Event(), threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def loaded(self, subject: Subject, loaded_at: float) -> None:
        """A variant is ready to answer."""
        with self._counting:
            self._row(subject)["loaded"][0] = loaded_at

    def looked(self, began_at: float) -> None:
        """What is live at that time, and not later, has been taken up."""
        self._server["looked"][0] = began_at

    def predicted(self, subject: Subject, batch: Batch, inference_seconds: float) -> None:
        """A variant has answered rows in one call."""
        self._called.append((subject, len(batch), inference_seconds))
        if not self._takes(subject, batch):
            self._unwatched.append((subject, batch.outputs))
            self._wake()
            return
        self._rows += len(batch)
        if not self._keep(subject, batch):
            self.flush()
            if not self._keep(subject, batch):  # more than is kept at all
                with self._counting:
                    self._count_rows(subject, batch)
        self._wake()

    def queued(self, subject: Subject, seconds: list[float]) -> None:
        """Requests have waited so long for one call."""
        self._queued.append((subject, seconds))

    def began(self) -> None:
        """A request has come."""
        self._begun.append(None)

    def requested(self, route: str, code: int, seconds: float) -> None:
        """A request has ended that no model has answered."""
        self._requested[route, code].append(seconds)
        self._wake()

    def answered(
        self, key: str, route: str, seconds: float, rows: int, reading: float, waiting: float, calling: float, writing: float
    ) -> None:
        """A request for so many rows is answered by the model of that key. The steps are in seconds, as all they took together is."""
        self._answered[key, route].append((seconds, rows, reading, waiting, calling, writing))
        self._wake()

    def refused(self, subject: Subject, check: str, seconds: float = 0.0) -> None:
        """A request's data did not pass a check, which took so long to find out."""
        with self._counting:
            self._costs.refused(subject.key, seconds)
            self._row(subject)["quality"][QUALITY_CHECKS.index(check)] += 1

    def rejected(self, reason: str) -> None:
        """A request was turned away for one of `REJECTIONS`."""
        with self._counting:
            self._server["rejected"][REJECTIONS.index(reason)] += 1

    def fed_back(self, results: list[str]) -> None:
        """What came of labels. Matched ones are counted from the log itself, so that none can be counted and lost."""
        with self._counting:
            for result in results:
                if result != "matched":
                    self._server["feedback"][FEEDBACK_RESULTS.index(result)] += 1

    def count_many(self) -> None:
        """Count all notes if there are many, or if it is time, and nobody does so already. For between two answers."""
        if self._rows < _SOME_ROWS or self._counting.locked():
            return
        if self._rows >= _MANY_ROWS or time.monotonic() - self._flushed_at >= _LOOP_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Count all notes."""
        with self._counting:
            self._noted.clear()
            self._rows, self._flushed_at = 0, time.monotonic()
            for subject, batch in self._take_kept():
                self._count_rows(subject, batch)
            self._count_unwatched()
            self._count_calls()
            self._count_waits()
            self._count_requests()

    def close(self) -> None:
        """Count what is left and stop."""
        self._stop.set()
        self._noted.set()
        self._thread.join(timeout=5)
        self.flush()
        self._capture.close()
        self._server["pid"][0] = 0
        self.slot.lock.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._noted.wait()
            self._stop.wait(_FLUSH_SECONDS)
            if time.monotonic() - self._flushed_at < _FLUSH_SECONDS and not self._stop.is_set():
                continue  # the loop has counted, and what it has noted since is for the next time
            try:
                self.flush()
            except Exception:  # whatever it is, the notes to come are still to be counted
                _log.exception("some notes could not be counted")

    def _row(self, subject: Subject) -> dict[str, FloatArray]:
        if subject.key not in self._subjects:
            counts = subject_counts(self._folder / "counts", subject.key, subject.layout)
            self._subjects[subject.key] = counts.layout.split(counts.row(self.slot))
        return self._subjects[subject.key]

    def _takes(self, subject: Subject, batch: Batch) -> bool:
        """Whether these rows are watched."""
        with self._keeping:
            return self._sampling[subject.key].takes(len(batch), time.monotonic())

    def _keep(self, subject: Subject, batch: Batch) -> bool:
        """Keep the rows until they are counted; False if there is no room for them."""
        with self._keeping:
            known = self._kept[subject.key]
            for _, kept in known:
                if kept.is_for(batch):
                    return kept.add(batch)
            known.append((subject, Kept(batch, _MOST_KEPT_ROWS, _MOST_KEPT_BYTES)))
            return known[-1][1].add(batch)

    def _take_kept(self) -> list[tuple[Subject, Batch]]:
        """All rows that are kept, those of each kind together. The memory of a kind of which none came is given back."""
        taken = []
        with self._keeping:
            for key, known in list(self._kept.items()):
                found = [(subject, kept, rows) for subject, kept in known if (rows := kept.take()) is not None]
                taken += [(subject, rows) for subject, _, rows in found]
                self._kept[key] = [(subject, kept) for subject, kept, _ in found]
        return taken

    def _count_rows(self, subject: Subject, batch: Batch) -> None:
        row, taken = self._row(subject), subject.manifest.input
        repeated = self._recent[subject.key].repeats(batch.inputs, time.monotonic())
        for block, counts in subject.reference.count(batch, taken, repeated).items():
            row[block] += counts
        for check, failures in quality(batch.inputs, taken, repeated).items():
            row["quality"][QUALITY_CHECKS.index(check)] += failures
        self._capture.keep(subject.key, batch)

    def _count_unwatched(self) -> None:
        for notes in _by_subject(take(self._unwatched)):
            subjects, outputs = zip(*notes, strict=True)
            self._row(subjects[0])["unwatched"] += subjects[0].reference.count_answers(np.concatenate(outputs))

    def _count_calls(self) -> None:
        for notes in _by_subject(take(self._called)):
            subjects, rows, seconds = zip(*notes, strict=True)
            row = self._row(subjects[0])
            self._costs.called(subjects[0].key, len(notes))
            observe(row, "inference", DURATION_BOUNDS, np.array(seconds))
            observe(row, "batch", BATCH_BOUNDS, np.array(rows, np.float64))

    def _count_waits(self) -> None:
        for notes in _by_subject(take(self._queued)):
            subjects, waits = zip(*notes, strict=True)
            observe(self._row(subjects[0]), "queue", DURATION_BOUNDS, np.array(list(chain.from_iterable(waits))))

    def _wake(self) -> None:
        if not self._noted.is_set():  # to set it again takes ten times as long
            self._noted.set()

    def _count_requests(self) -> None:
        ended = 0
        for (route, code), notes in list(self._requested.items()):
            ended += self._count_durations(route, code, take(notes))
        for (key, route), steps in list(self._answered.items()):
            if noted := take(steps):
                seconds, *took = zip(*noted, strict=True)
                ended += self._count_durations(route, _OK, seconds)
                self._costs.answered(key, *took)
        self._in_flight += len(take(self._begun)) - ended  # after the others: none ends before it began
        self._server["in_flight"][0] = self._in_flight

    def _count_durations(self, route: str, code: int, seconds: Sequence[float]) -> int:
        place = self._routes.get(route, len(self._routes) - 1)
        self._server["requests"][place, _code_place(code)] += len(seconds)
        observe({name: self._server[name][place] for name in ("seconds", "seconds_sum")}, "seconds", DURATION_BOUNDS, np.array(seconds))
        return len(seconds)


def _by_subject(notes: list[Note]) -> Iterable[list[Note]]:
    """Notes that begin with a subject, those of one together: mostly there is one."""
    if all(note[0] is notes[0][0] for note in notes):
        return [notes] if notes else []
    parted: dict[str, list[Note]] = defaultdict(list)
    for note in notes:
        parted[note[0].key].append(note)
    return parted.values()


@cache
def _code_place(code: int) -> int:
    return CODES.index(code if code in CODES else 200 if code < 400 else 400 if code < 500 else 500)
