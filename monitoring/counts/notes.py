"""Notes: what requests leave behind to be counted later, by another thread."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

import numpy as np

from monitoring.arrays import FloatArray
from monitoring.counts.kept import Kept
from monitoring.counts.sampling import Sampling
from monitoring.signals.measure import Batch
from monitoring.subject import Subject

T = TypeVar("T")


def take(notes: deque[T]) -> list[T]:
    """The notes that are there now, taken out. Others may be left meanwhile, by any thread, and stay.

    >>> notes = deque([1, 2])
    >>> take(notes), take(notes)
    ([1, 2], [])
    """
    first = notes.popleft
    return [first() for _ in range(len(notes))]


class Numbers:
    """Notes of so many numbers each, one behind the other in one piece of memory. As objects, five times as large and all over the heap,
    they would push what answers out of the processor's caches before they are counted.

    >>> notes = Numbers(2)
    >>> notes.add((1, 0.5, 2, 0.25))
    >>> notes.take().tolist(), notes.take().tolist()
    ([[1.0, 0.5], [2.0, 0.25]], [])
    """

    def __init__(self, width: int) -> None:
        self._width, self._values = width, array("d")
        #: Adds the numbers of one note, or of several. Any thread may do so at any time: what C does to an array no other thread comes
        #: between.
        self.add: Callable[[Iterable[float]], None] = self._values.extend

    def take(self) -> FloatArray:
        """The notes that are there now, taken out, (n, width)."""
        end = len(self._values)
        taken = self._values[:end]
        del self._values[:end]
        return np.frombuffer(taken, np.float64).reshape(-1, self._width)


class SubjectNotes:
    """What requests for one subject leave behind: the rows that are watched, what all others were answered, and how long it all took."""

    def __init__(self, subject: Subject, sampling: Sampling) -> None:
        self.subject, self.sampling = subject, sampling
        self.unwatched: deque[FloatArray] = deque()
        #: For each call of the model its rows and seconds; for each request the seconds that it waited for one.
        self.calls, self.waits = Numbers(2), Numbers(1)
        #: By route, for each request: seconds, rows, and the seconds of its steps.
        self.requests: dict[str, Numbers] = defaultdict(partial(Numbers, 6))
        self._kept: list[Kept] = []

    def keep(self, batch: Batch, most_rows: int, most_bytes: int) -> bool:
        """Keep rows until they are taken; False if there is no room for them. One thread at a time, as for `take_kept`."""
        for kept in self._kept:
            if kept.is_for(batch):
                return kept.add(batch)
        self._kept.append(Kept(batch, most_rows, most_bytes))
        return self._kept[-1].add(batch)

    def take_kept(self) -> list[Batch]:
        """All rows that are kept, those of each kind together. The memory of a kind of which none came is given back."""
        found = [(kept, rows) for kept in self._kept if (rows := kept.take()) is not None]
        self._kept = [kept for kept, _ in found]
        return [rows for _, rows in found]
