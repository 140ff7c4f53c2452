"""Costs: what the requests for each subject took, step by step, summed over all workers. Beside what is watched, and never looked at by it.

The steps of a request are counted together or not at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from monitoring.arrays import FloatArray
from monitoring.counts.layout import Layout
from monitoring.counts.shared_counts import SharedCounts, Slot

#: `last` is when a request was last answered (seconds since 1970), not a sum. The rest are the numbers of `Cost`, in its order.
_LAYOUT = Layout({"last": (1,), "answered": (6,), "called": (1,), "refused": (2,)})


@dataclass(frozen=True)
class Cost:
    """What all requests for a subject took, since it is counted. A call may answer several; each has all of it for its own."""

    last: float
    requests: int
    rows: int
    reading_seconds: float
    waiting_seconds: float
    calling_seconds: float
    writing_seconds: float
    calls: int
    refused: int
    refusing_seconds: float


class Costs:
    """The part of one worker. One thread at a time."""

    def __init__(self, folder: Path, slot: Slot) -> None:
        self._folder, self._slot = folder, slot
        self._rows: dict[str, dict[str, FloatArray]] = {}

    def answered(self, key: str, took: FloatArray) -> None:
        """Requests are answered: `took` (requests, 5) has of each its rows, and the seconds of its steps in the order of `Cost`. The call
        of the model that it waited for may have served other requests too.
        """
        row = self._row(key)
        row["answered"] += [len(took), *took.sum(axis=0)]
        row["last"][0] = time.time()

    def called(self, key: str, calls: int) -> None:
        """The model was called so often."""
        self._row(key)["called"] += calls

    def refused(self, key: str, seconds: float) -> None:
        """A request's data did not fit, which took so long to find out."""
        self._row(key)["refused"] += (1, seconds)

    def _row(self, key: str) -> dict[str, FloatArray]:
        if key not in self._rows:
            self._rows[key] = _LAYOUT.split(_shared(self._folder, key).row(self._slot))
        return self._rows[key]


def read_cost(folder: Path, key: str) -> Cost:
    """The costs of a subject, summed over all workers."""
    rows = _shared(folder, key).rows
    last = max(_LAYOUT.split(row)["last"][0] for row in rows)
    total = _LAYOUT.split(rows.sum(axis=0))
    requests, requested_rows, reading, waiting, calling, writing = total["answered"].tolist()
    calls, refused = round(total["called"][0]), round(total["refused"][0])
    refusing = float(total["refused"][1])
    return Cost(float(last), round(requests), round(requested_rows), reading, waiting, calling, writing, calls, refused, refusing)


def _shared(folder: Path, key: str) -> SharedCounts:
    return SharedCounts(folder / f"{key}.{_LAYOUT.fingerprint}.counts", _LAYOUT)
