"""What becomes of twice the load that a server can bear: who is answered, how late, and whether those turned away are told the truth."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.open_loop import Answered, Outcome

#: Requests that came this close to one that was turned away stood in the queue that it did not get into.
_NEAR_SECONDS = 0.1
#: The queue must be full before anything is said about it.
_RAMP_SECONDS = 1.0


@dataclass(frozen=True)
class Overload:
    """`retry_ratio` is Retry-After by what the accepted requests of the same moment really waited: 1 is right, in the middle and at the
    5th and 95th percentile. `whole_ratio` the same for the standard header, which knows whole seconds only."""

    offered_per_second: float
    statuses: dict[str, int]
    accepted_p50_ms: float
    accepted_p99_ms: float
    deadline_ms: float
    unsent: int
    retry_ratio: tuple[float, float, float] | None
    whole_ratio: float | None


def judge(outcome: Outcome, per_second: float, deadline_seconds: float) -> Overload:
    accepted = sorted((one for one in outcome.answered if one.status == 200), key=lambda one: one.due)
    waits = np.array([one.seconds for one in accepted] or [np.nan]) * 1e3
    refused = [one for one in outcome.answered if one.status == 429 and one.due > _RAMP_SECONDS]
    right = [(one, wait) for one in refused if (wait := _wait_then(accepted, one.due))]
    ratios = [one.retry / wait for one, wait in right if one.retry is not None]
    whole = [one.retry_whole / wait for one, wait in right if one.retry_whole is not None]
    low, middle, high = np.percentile(ratios, (5, 50, 95)).tolist() if ratios else (0.0, 0.0, 0.0)
    return Overload(
        per_second,
        {str(status): count for status, count in sorted(Counter(one.status for one in outcome.answered).items())},
        float(np.percentile(waits, 50)),
        float(np.percentile(waits, 99)),
        deadline_seconds * 1e3,
        outcome.unsent,
        (low, middle, high) if ratios else None,
        float(np.median(whole)) if whole else None,
    )


def _wait_then(accepted: list[Answered], due: float) -> float | None:
    """How long the accepted requests around this moment waited, the middle of them."""
    first = bisect_left(accepted, due - _NEAR_SECONDS, key=lambda one: one.due)
    last = bisect_left(accepted, due + _NEAR_SECONDS, key=lambda one: one.due)
    return float(np.median([one.seconds for one in accepted[first:last]])) if last > first else None
