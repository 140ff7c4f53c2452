"""Windows over counts that only grow: what came in the last minute is what there is now less what there was a minute ago.

So one short list of past totals serves every window, whatever is counted, and nothing has to be evicted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monitoring.arrays import FloatArray, IntArray

#: The windows that are shown, in seconds.
WINDOWS = {"1m": 60.0, "10m": 600.0, "1h": 3600.0, "24h": 86400.0}
#: A window may begin earlier than it says by this share of its length.
_RESOLUTION = 1 / 20


@dataclass(frozen=True)
class History:
    """Totals at past times: `times` (s,) seconds since 1970, ascending; `totals` (s, k)."""

    times: FloatArray
    totals: FloatArray

    @classmethod
    def empty(cls, size: int) -> History:
        return cls(np.empty(0), np.empty((0, size)))

    def record(self, now: float, total: FloatArray) -> History:
        """With the total of now, and without the past ones that no window needs any longer."""
        kept = [i for i in self._needed(now) if self.times[i] < now]
        return History(np.append(self.times[kept], now), np.vstack([self.totals[kept], total]))

    def increase(self, now: float, total: FloatArray, seconds: float, not_before: float = -math.inf) -> FloatArray:
        """What was added in the last `seconds`, of which nothing before `not_before`. Before the first record all counts from zero.

        >>> history = History.empty(1).record(0, np.array([5.0])).record(60, np.array([7.0]))
        >>> history.increase(90, np.array([8.0]), 60).tolist(), history.increase(90, np.array([8.0]), 600).tolist()
        ([3.0], [8.0])
        >>> history.increase(90, np.array([8.0]), 60, not_before=30).tolist()
        [1.0]
        """
        before = int(np.searchsorted(self.times, now - seconds, side="right"))
        first = int(np.searchsorted(self.times, not_before)) + 1 if not_before > -math.inf else 0
        start = min(max(before, first), len(self.times))
        return total - self.totals[start - 1] if start else total

    def _needed(self, now: float) -> list[int]:
        """Of those in one cell of the coarsest grid that their age allows, the last; and one older than all windows."""
        kept: list[int] = []
        last_cell = None
        for i in range(len(self.times) - 1, -1, -1):
            age = now - self.times[i]
            window = next((seconds for seconds in WINDOWS.values() if age <= seconds), None)
            if window is None:
                kept.append(i)
                break
            cell = (window, self.times[i] // (window * _RESOLUTION))
            if cell != last_cell:
                kept.append(i)
            last_cell = cell
        return kept[::-1]


#: Cohorts: seconds in one bucket, and how many buckets there are (as long as the longest window).
_BUCKET_SECONDS = 10.0
_BUCKETS = int(max(WINDOWS.values()) / _BUCKET_SECONDS) + 1


@dataclass(frozen=True)
class Cohorts:
    """Predictions by the time they were made, how many of those have a label by now, and what these say of how right they were.

    `numbers` (b,) says which bucket of time a row holds; `counts` (b, 1 + width) the predictions, and the sums of what a task makes of
    their labels (`Task.sums`), of which the first is their number.
    """

    numbers: IntArray
    counts: FloatArray

    @classmethod
    def empty(cls, width: int) -> Cohorts:
        return cls(np.full(_BUCKETS, -1, dtype=np.int64), np.zeros((_BUCKETS, 1 + width)))

    def add(self, predictions: float, now: float, labelled_predicted_at: FloatArray, sums: FloatArray) -> Cohorts:
        """With `predictions` made now, and labels for predictions made at those times (n,), which add `sums` (n, width).

        Labels of predictions older than the ring are left out.
        """
        numbers, counts = self.numbers.copy(), self.counts.copy()
        current = int(now // _BUCKET_SECONDS)
        made = np.append((labelled_predicted_at // _BUCKET_SECONDS).astype(np.int64), current)
        amounts = np.zeros((len(made), counts.shape[1]))
        amounts[:-1, 1:], amounts[-1, 0] = sums, predictions
        fits = (made > current - _BUCKETS) & (made <= current)
        made, amounts = made[fits], amounts[fits]
        places = made % _BUCKETS
        stale = numbers[places] != made
        counts[places[stale]] = 0
        numbers[places] = made
        np.add.at(counts, places, amounts)
        return Cohorts(numbers, counts)

    def coverage(self, now: float, seconds: float) -> float | None:
        """Share of the predictions of the last `seconds` that have a label by now; None without predictions."""
        predictions, labels = self._within(now, seconds)[:2].tolist()
        return min(1.0, float(labels / predictions)) if predictions else None

    def lately(self, now: float, seconds: float) -> FloatArray:
        """The sums (width,) of the labels that the predictions of the last `seconds` have by now."""
        return self._within(now, seconds)[1:]

    def labelled(self, after: float, until: float) -> FloatArray:
        """The same of the predictions made between two times. To ten seconds."""
        inside = (self.numbers > after // _BUCKET_SECONDS) & (self.numbers <= until // _BUCKET_SECONDS)
        sums: FloatArray = self.counts[inside].sum(axis=0)[1:]
        return sums

    def _within(self, now: float, seconds: float) -> FloatArray:
        inside = self.numbers > (now - seconds) // _BUCKET_SECONDS
        total: FloatArray = self.counts[inside].sum(axis=0)
        return total
