"""The recorder: what a worker notes of its requests, and how the notes turn into counts.

A request only leaves a note. Notes are counted together in one vectorized step: by the event loop when there are many or it is time, and
else by a thread, about four times a second. A thread that counts while the loop answers takes turns with it, so that each request in
that time waits for it several times; the loop counts between two answers, and once for hundreds of rows. A worker that is killed takes at
most the notes of the last half of a second with it. Inputs that may be labelled are written by the thread alone.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import defaultdict, deque
from functools import cache
from pathlib import Path

import numpy as np

from monitoring.arrays import FloatArray
from monitoring.counts.capture import Capture
from monitoring.counts.costs import Costs
from monitoring.counts.examples import Examples
from monitoring.counts.layout import BATCH_BOUNDS, CODES, DURATION_BOUNDS, FEEDBACK_RESULTS, REJECTIONS, observe, server_layout
from monitoring.counts.notes import SubjectNotes, take
from monitoring.counts.sampling import Sampling
from monitoring.counts.shared_counts import claim_slot, server_counts, subject_counts
from monitoring.counts.waiting import Sealed, WaitingInputs
from monitoring.signals.duplicates import Recent
from monitoring.signals.measure import QUALITY_CHECKS, Batch, quality
from monitoring.subject import Subject

_log = logging.getLogger("veleta.recorder")
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

    def __init__(
        self,
        folder: Path,
        routes: tuple[str, ...],
        capture_rows: int = 0,
        watch_limit: float = 0,
        examples: Examples | None = None,
    ) -> None:
        self._folder = folder
        self.slot = claim_slot(folder / "slots")
        server = server_counts(folder / "counts", server_layout(routes))
        self._server = server.layout.split(server.row(self.slot))
        self._server["pid"][0], self._server["in_flight"][0] = os.getpid(), 0
        self._costs = Costs(folder / "costs", self.slot)
        self._capture = Capture(folder / "captured", self.slot.number, capture_rows)
        self._routes = {route: place for place, route in enumerate(routes)}
        self._subjects: dict[str, dict[str, FloatArray]] = {}
        self._notes: dict[str, SubjectNotes] = {}
        self._keeping = threading.Lock()  # for as long as it takes to copy
        self._watch_limit, self._rng = watch_limit, np.random.default_rng()
        self._waiting = WaitingInputs(examples, np.random.default_rng()) if examples else None
        self._requested: dict[tuple[str, int], deque[float]] = defaultdict(deque)
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

    def predicted(self, subject: Subject, batch: Batch, inference_seconds: float, sealed: Sealed = ()) -> None:
        """A variant has answered rows in one call. `sealed`: the ids that labels can be sent for."""
        notes = self._notes_of(subject)
        notes.calls.add((len(batch), inference_seconds))
        if self._waiting and sealed:
            self._waiting.add(subject, batch.inputs, sealed)
        with self._keeping:
            watched = notes.sampling.takes(len(batch), time.monotonic())
            is_kept = watched and notes.keep(batch, _MOST_KEPT_ROWS, _MOST_KEPT_BYTES)
        if not watched:
            notes.unwatched.append(batch.outputs)
        else:
            self._rows += len(batch)
            if not is_kept:
                self._make_room(notes, batch)
        self._wake()

    def queued(self, subject: Subject, seconds: list[float]) -> None:
        """Requests have waited so long for one call."""
        self._notes_of(subject).waits.add(seconds)

    def began(self) -> None:
        """A request has come."""
        self._begun.append(None)

    def requested(self, route: str, code: int, seconds: float) -> None:
        """A request has ended that no model has answered."""
        self._requested[route, code].append(seconds)
        self._wake()

    def answered(self, subject: Subject, route: str, took: tuple[float, ...]) -> None:
        """A request is answered by a model: the seconds that it took, its rows, and the seconds of its steps, in the order of `Cost`.

        Nobody is woken for it: who counts stays awake as long as one that has begun has not ended.
        """
        self._notes_of(subject).requests[route].add(took)

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
            if self._waiting:
                self._wake()  # the thread writes, and the loop has just taken its call away

    def flush(self) -> None:
        """Count all notes."""
        with self._counting:
            self._noted.clear()
            self._rows, self._flushed_at = 0, time.monotonic()
            for notes in list(self._notes.values()):
                self._count_answers(notes)
            self._count_requests()

    def close(self) -> None:
        """Count what is left and stop."""
        self._stop.set()
        self._noted.set()
        self._thread.join(timeout=5)
        self.flush()
        if self._waiting:
            self._waiting.write()
        self._capture.close()
        self._server["pid"][0] = 0
        self.slot.lock.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._noted.wait()
            self._stop.wait(_FLUSH_SECONDS)
            if time.monotonic() - self._flushed_at >= _FLUSH_SECONDS or self._stop.is_set():
                self._try_flush()  # else the loop has counted, and what it has noted since is for the next time
            if self._waiting:
                self._waiting.write()  # after the flush: what comes from here on wakes this thread again

    def _try_flush(self) -> None:
        try:
            self.flush()
        except Exception:  # whatever it is, the notes to come are still to be counted
            _log.exception("some notes could not be counted")

    def _row(self, subject: Subject) -> dict[str, FloatArray]:
        if subject.key not in self._subjects:
            counts = subject_counts(self._folder / "counts", subject.key, subject.layout)
            self._subjects[subject.key] = counts.layout.split(counts.row(self.slot))
        return self._subjects[subject.key]

    def _notes_of(self, subject: Subject) -> SubjectNotes:
        notes = self._notes.get(subject.key)
        return notes or self._notes.setdefault(subject.key, SubjectNotes(subject, Sampling(self._watch_limit, self._rng)))

    def _make_room(self, notes: SubjectNotes, batch: Batch) -> None:
        """Count what is kept, and then keep these rows, or count them too if they are more than is kept at all."""
        self.flush()
        with self._keeping:
            is_kept = notes.keep(batch, _MOST_KEPT_ROWS, _MOST_KEPT_BYTES)
        if not is_kept:
            with self._counting:
                self._count_rows(notes.subject, batch)

    def _count_answers(self, notes: SubjectNotes) -> None:
        """What the model was asked and answered."""
        subject, row = notes.subject, self._row(notes.subject)
        with self._keeping:
            kept = notes.take_kept()
        for batch in kept:
            self._count_rows(subject, batch)
        if unwatched := take(notes.unwatched):
            row["unwatched"] += subject.reference.count_answers(np.concatenate(unwatched))
        rows, seconds = (calls := notes.calls.take()).T
        self._costs.called(subject.key, len(calls))
        observe(row, "inference", DURATION_BOUNDS, seconds)
        observe(row, "batch", BATCH_BOUNDS, rows)
        observe(row, "queue", DURATION_BOUNDS, notes.waits.take()[:, 0])

    def _count_rows(self, subject: Subject, batch: Batch) -> None:
        row, taken = self._row(subject), subject.manifest.input
        repeated = self._recent[subject.key].repeats(batch.inputs, time.monotonic())
        for block, counts in subject.reference.count(batch, taken, repeated).items():
            row[block] += counts
        for check, failures in quality(batch.inputs, taken, repeated).items():
            row["quality"][QUALITY_CHECKS.index(check)] += failures
        self._capture.keep(subject.key, batch)

    def _wake(self) -> None:
        if not self._noted.is_set():  # to set it again takes ten times as long
            self._noted.set()

    def _count_requests(self) -> None:
        ended = 0
        for (route, code), durations in list(self._requested.items()):
            ended += self._count_durations(route, code, np.array(take(durations)))
        for notes in list(self._notes.values()):
            for route, requests in list(notes.requests.items()):
                if len(took := requests.take()):
                    ended += self._count_durations(route, _OK, took[:, 0])
                    self._costs.answered(notes.subject.key, took[:, 1:])
        self._in_flight += len(take(self._begun)) - ended  # after the others: none ends before it began
        self._server["in_flight"][0] = self._in_flight
        if self._in_flight > 0:
            self._wake()

    def _count_durations(self, route: str, code: int, seconds: FloatArray) -> int:
        place = self._routes.get(route, len(self._routes) - 1)
        self._server["requests"][place, _code_place(code)] += len(seconds)
        observe({name: self._server[name][place] for name in ("seconds", "seconds_sum")}, "seconds", DURATION_BOUNDS, seconds)
        return len(seconds)


@cache
def _code_place(code: int) -> int:
    return CODES.index(code if code in CODES else 200 if code < 400 else 400 if code < 500 else 500)
