"""Sampling: which calls of a model are watched when more rows come, and for long, than tell anything new.

A call is watched with all its rows or not at all, by chance: what is watched is what the same clients would have sent at a lower rate.
How many calls go by until the next one that is watched is drawn once: their gaps are geometric, which is the same as a chance for each.
Every call is watched as long as there is credit. It grows while fewer rows come than are watched in the long run, and lasts for a burst.

>>> sampling = Sampling(500, np.random.default_rng(0))
>>> came = [(10, at / 1000) for at in range(60_000)]
>>> sum(rows for rows, now in came[:1000] if sampling.takes(rows, now))
10000
>>> 0.9 < sum(rows for rows, now in came[1000:] if sampling.takes(rows, now)) / (59 * 500) < 1.1
True
"""

from __future__ import annotations

import numpy as np

#: How long as many rows as are watched in the long run have to stay away until the largest burst is watched whole.
_CREDIT_SECONDS = 20.0
#: So long a chance stays as it is.
_PERIOD_SECONDS = 0.25


class Sampling:
    """The calls of one model in one worker. One thread at a time."""

    def __init__(self, rows_per_second: float, rng: np.random.Generator) -> None:
        """So many rows are watched in the long run; 0: all."""
        self._rows_per_second, self._rng = rows_per_second, rng
        self._credit, self._share = rows_per_second * _CREDIT_SECONDS, 1.0
        self._came, self._since = 0, -_CREDIT_SECONDS
        self._until_next = 1

    def takes(self, rows: int, now: float) -> bool:
        """Whether a call that answered so many rows is watched. `now` in seconds, of any clock that only goes on."""
        if not self._rows_per_second:
            return True
        self._came += rows
        if (seconds := now - self._since) >= _PERIOD_SECONDS:
            due = self._rows_per_second * seconds
            self._credit = min(max(0.0, self._credit + due - self._came), self._rows_per_second * _CREDIT_SECONDS)
            self._share = 1.0 if self._credit else due / self._came
            self._came, self._since = 0, now
            self._until_next = self._draw()
        self._until_next -= 1
        if self._until_next:
            return False
        self._until_next = self._draw()
        return True

    def _draw(self) -> int:
        """Of how many calls from now on the last one is watched. It may be drawn anew at any time: chance has no memory."""
        return 1 if self._share >= 1 else int(self._rng.geometric(self._share))
