"""Inputs on their way to the file of examples: drawn where there are too many, copied, and written by who has time for it.

In the long run so many rows a second of each model are kept in each worker, and so many bytes: what has been labelled of more is more than
a training needs, and to write them takes the time of requests.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.counts.examples import Examples, ExamplesError, Waiting
from monitoring.counts.notes import take
from monitoring.counts.sampling import Sampling
from monitoring.subject import Subject

_ROWS_PER_SECOND, _BYTES_PER_SECOND = 100.0, 2e6
#: The ids of a call's answers, and the place of the first of them in it.
Sealed = Sequence[tuple[int, Sequence[str]]]
_log = logging.getLogger("veleta.examples")


class WaitingInputs:
    """Those of one worker."""

    def __init__(self, examples: Examples, rng: np.random.Generator) -> None:
        self._examples, self._rng = examples, rng
        self._samplings: dict[str, Sampling] = {}
        self._waiting: deque[Waiting] = deque()
        self._drawing, self._failing = threading.Lock(), False

    def add(self, subject: Subject, inputs: NDArray[Any], sealed: Sealed) -> None:
        """A call has answered inputs (n, …), some of which were given ids. The memory of a request is used again, so it is copied."""
        with self._drawing:
            if not self.sampling(subject).takes(len(inputs), time.monotonic()):
                return
        now = time.time()
        for start, ids in sealed:
            self._waiting.append(Waiting(subject.key, ids, inputs[start : start + len(ids)].copy(), now))

    def write(self) -> None:
        """On disk. The event loop must not wait for it."""
        if self._waiting:
            try:
                self._examples.keep(take(self._waiting))
                self._failing = False
            except ExamplesError as error:
                if not self._failing:  # four times a second would drown the log
                    _log.error("inputs are lost until this is mended: %s", error)
                self._failing = True

    def sampling(self, subject: Subject) -> Sampling:
        """What draws the inputs of a model."""
        if subject.key not in self._samplings:
            row_bytes = 4 * math.prod(size or 1 for size in subject.manifest.input.row_shape)
            self._samplings[subject.key] = Sampling(min(_ROWS_PER_SECOND, _BYTES_PER_SECOND / row_bytes), self._rng)
        return self._samplings[subject.key]
