"""The watch: brings counts and labels together, tick by tick, and remembers.

Every worker has one. The one that holds the lock is the leader: its tick is what is kept, in one file that is replaced whole. If it
dies, the kernel frees the lock and the next one goes on from that file. Labels are added up as far as the file says and the file
says how far, so each is counted exactly once.
"""

from __future__ import annotations

import datetime
import fcntl
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import safetensors.numpy

from models.errors import VeletaError
from models.manifest import VARIANTS
from models.store import Store
from monitoring.arrays import Arrays, FloatArray
from monitoring.counts.examples import Examples, ExamplesError
from monitoring.counts.label_log import LabelLog, LogError, Tail
from monitoring.counts.shared_counts import SharedCounts, counted_keys, subject_counts
from monitoring.drift.alarm import Promise
from monitoring.incidents.files import Incidents
from monitoring.subject import Subject, fingerprint
from monitoring.track import Track

#: An input is kept so long after it was answered, at most, on a machine that has much else to do.
_LATE_SECONDS = 10.0
_log = logging.getLogger("veleta.watch")


@dataclass(frozen=True)
class Memory:
    """What is kept from tick to tick: tracks by subject, and how far the label log has been added up."""

    seq: int = 0
    tracks: dict[str, Track] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        arrays: Arrays = {"seq": np.array(self.seq)}
        for key, track in self.tracks.items():
            arrays |= {f"{key}|{name}": np.asarray(value, order="C") for name, value in track.to_arrays().items()}
        return safetensors.numpy.save(arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Memory:
        """Raises ValueError or KeyError for what was not written by `to_bytes`."""
        by_key: dict[str, Arrays] = {}
        try:
            arrays = safetensors.numpy.load(data)
        except safetensors.SafetensorError as error:
            raise ValueError(str(error)) from error
        for name, value in arrays.items():
            if "|" in name:
                key, part = name.split("|")
                by_key.setdefault(key, {})[part] = value
        return cls(int(arrays["seq"]), {key: Track.from_arrays(parts) for key, parts in by_key.items()})


@dataclass(frozen=True)
class Look:
    """What there is to see now: each subject with its track moved on to `time`."""

    time: float
    subjects: dict[str, tuple[Subject, Track]]
    memory: Memory
    promise: Promise


class Subjects:
    """The subjects on a shelf, read when they are asked for and kept, since a published version never changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Subject | None] = {}
        self._keys: dict[bytes, str] = {}

    def get(self, key: str) -> Subject | None:
        """The subject of a key; None if its version is gone from the shelf."""
        if key not in self._known:
            name, version, variant = key.split("/")
            try:
                self._known[key] = Subject.load(self._store.open(name, int(version)), variant)
            except VeletaError as error:
                _log.warning("what was counted of %s is left out: %s", key, error)
                self._known[key] = None
        return self._known[key]

    def of(self, mark: bytes) -> Subject | None:
        """The subject of the fingerprint in a receipt."""
        if mark not in self._keys:
            self._keys = {fingerprint(key): key for key in self._all_keys()}
        return self.get(self._keys[mark]) if mark in self._keys else None

    def add(self, subject: Subject) -> None:
        """A subject that was read already."""
        self._known[subject.key] = subject
        self._keys[subject.fingerprint] = subject.key

    def _all_keys(self) -> list[str]:
        return [
            f"{name}/{version}/{variant}" for name in self._store.names() for version in self._store.versions(name) for variant in VARIANTS
        ]


class Watch:
    """Looks at what is counted under `folder`, and as the leader ticks every `tick_seconds`."""

    def __init__(
        self,
        folder: Path,
        subjects: Subjects,
        log: LabelLog,
        promise: Promise,
        retention_seconds: float,
        examples: Examples | None = None,
    ) -> None:
        self._folder, self._subjects, self._labels, self._examples = folder, subjects, log, examples
        self._read_to = deque([(0.0, 0)])  # when the log was read for the examples, and how far
        self._promise, self._retention_seconds = promise, retention_seconds
        self._incidents = Incidents(folder / "incidents", folder / "captured")
        self._counts: dict[str, SharedCounts] = {}
        self._read: tuple[int, Memory] = (0, Memory())
        self._leading: IO[bytes] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop; as the leader, after a last tick."""
        self._stop.set()
        self._thread.join(timeout=5)
        if self._leading:
            self.tick(time.time())
            self._leading.close()

    def look(self, now: float) -> Look:
        """Everything at `now`, counts of this moment included, and labels if their store is here. Of one that is elsewhere those of the
        last tick: who looks does not wait for it, and sees no fewer labels while it is away.
        """
        return self._look(now, self._labels.since if self._labels.is_here else _nothing_since)

    def _look(self, now: float, labels_since: Callable[[int], Tail]) -> Look:
        memory = self._fitting(self._remember())
        tail = labels_since(memory.seq)
        tracks = {}
        for key in sorted({*counted_keys(self._folder / "counts"), *memory.tracks}):
            if subject := self._subjects.get(key):
                track = memory.tracks.get(key) or Track.start(subject, now)
                tracks[key] = subject, track.advance(subject, now, self._total(subject), tail.of(key))
        return Look(now, tracks, Memory(tail.seq, {key: track for key, (_, track) in tracks.items()}), self._promise)

    def _labels_since(self, seq: int) -> Tail:
        """None as long as their store is away: what does not depend on them is kept all the same."""
        try:
            return self._labels.since(seq)
        except LogError as error:
            _log.error("labels are not added up until this is mended: %s", error)
            return _nothing_since(seq)

    def tick(self, now: float) -> None:
        """Keep what there is to see now."""
        before, look = self._remember(), self._look(now, self._labels_since)
        seq, oldest = look.memory.seq, now - self._retention_seconds
        kept = {key: self._weigh(subject, track, now) for key, (subject, track) in look.subjects.items() if track.moved_at >= oldest}
        if seq != before.seq or {key: _state(track) for key, track in kept.items()} != {
            key: _state(track) for key, track in before.tracks.items()
        }:
            self._keep(Memory(seq, kept))
        self._report(kept, look)
        os.utime(self._folder / "leader")
        if self._examples:
            self._label(self._examples, oldest, now)
        self._labels.forget(oldest, seq)

    def last_tick(self) -> float | None:
        """When any worker's tick was last kept, in seconds since 1970."""
        try:
            return (self._folder / "leader").stat().st_mtime
        except FileNotFoundError:
            return None

    def _label(self, examples: Examples, oldest: float, now: float) -> None:
        """Labels go to the inputs that wait for them. Those of the last seconds before the last tick once more: a quick label may come
        before its input is kept.
        """
        while len(self._read_to) > 1 and self._read_to[1][0] <= self._read_to[-1][0] - _LATE_SECONDS:
            self._read_to.popleft()
        try:
            marked = self._labels.marked_since(self._read_to[0][1])
            examples.label(marked.labels)
            self._read_to.append((now, marked.seq))
            examples.forget(oldest, now)
        except ExamplesError as error:
            _log.error("%s", error)

    def _weigh(self, subject: Subject, track: Track, now: float) -> Track:
        """With the evidence of this tick."""
        stood = track.vigil.alarm
        weighed = track.weigh(subject, self._promise, now, seen=stood is not None and self._incidents.was_seen(subject.key, stood))
        alarm = weighed.vigil.alarm
        if alarm and not stood:
            _log.warning("%s has changed since %s: %s", subject.key, _clock(alarm.since), ", ".join(alarm.signals))
        return weighed

    def _report(self, tracks: dict[str, Track], look: Look) -> None:
        """Each alarm that stands is an incident. What is wrong with one must not end the watch."""
        for key, track in tracks.items():
            if track.vigil.alarm:
                try:
                    self._incidents.report(look.subjects[key][0], track, look.promise, look.time)
                except Exception:
                    _log.exception("the incident of %s cannot be written, the next tick tries again", key)

    def _fitting(self, memory: Memory) -> Memory:
        """The memory, or none if another release of the program laid it out: then all is begun anew from the counts and the whole log."""
        subjects = {key: self._subjects.get(key) for key in memory.tracks}
        fits = all(track.fits(subject) for key, track in memory.tracks.items() if (subject := subjects[key]))
        return memory if fits else Memory()

    def _run(self) -> None:
        while not self._stop.wait(self._promise.tick_seconds):
            try:
                if self._leading or self._lead():
                    self.tick(time.time())
            except (LogError, OSError) as error:
                _log.error("a tick failed, the next one tries again: %s", error)
            except Exception:  # whatever it is, the watch goes on
                _log.exception("a tick failed, the next one tries again")

    def _lead(self) -> bool:
        lock = (self._folder / "leader").open("ab")  # not "wb": that would move the time of the last tick
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._leading = lock
        return True

    def _total(self, subject: Subject) -> FloatArray:
        if subject.key not in self._counts:
            self._counts[subject.key] = subject_counts(self._folder / "counts", subject.key, subject.layout)
        return self._counts[subject.key].total()

    def _keep(self, memory: Memory) -> None:
        staged, path = self._folder / ".watch.safetensors.new", self._folder / "watch.safetensors"
        staged.write_bytes(memory.to_bytes())
        staged.replace(path)
        self._read = path.stat().st_mtime_ns, memory

    def _remember(self) -> Memory:
        """What was kept last; begun anew, from the counts and the whole log, if that file is damaged."""
        path = self._folder / "watch.safetensors"
        try:
            changed = path.stat().st_mtime_ns
            if changed != self._read[0]:
                self._read = changed, Memory.from_bytes(path.read_bytes())
        except FileNotFoundError:
            return Memory()
        except (ValueError, KeyError, TypeError, OSError) as error:
            _log.error("%s cannot be read and is begun anew from the counts and the label log: %s", path, error)
            return Memory()
        return self._read[1]


def _nothing_since(seq: int) -> Tail:
    return Tail(seq, {})


def _state(track: Track) -> tuple[float, str]:
    """What changes whenever a track is worth keeping anew."""
    return track.moved_at, track.vigil.to_text()


def _clock(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
