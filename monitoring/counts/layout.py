"""Layouts: which number of a row of counts means what.

Everything that is counted is one row of numbers that only grow, so that workers, machines and times add and subtract as vectors.
A layout names the parts of such a row.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.accuracy.calibration_error import BINS
from monitoring.arrays import FloatArray
from monitoring.reference import Reference
from monitoring.signals.measure import QUALITY_CHECKS

#: Upper bounds of the duration histograms, in seconds.
DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Upper bounds of the histogram of rows that were answered together.
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: Upper bounds of the time between a prediction and its label, in seconds.
DELAY_BOUNDS = (1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)
#: The status codes that are told apart; another one counts as the general one of its hundred.
CODES = (200, 304, 400, 401, 403, 404, 405, 408, 411, 413, 415, 429, 500, 503, 504)
#: What may come of a label.
FEEDBACK_RESULTS = ("matched", "duplicate", "conflict", "unknown", "expired", "invalid")
#: Why a request was turned away although it was well-formed.
REJECTIONS = ("limit", "queue_full", "not_ready", "deadline", "rate_limit")
#: Up to so many classes the whole confusion matrix is kept, beyond only hits and misses per class.
CONFUSION_CLASSES = 20


@dataclass(frozen=True)
class Layout:
    """Named blocks, one after the other: name → shape."""

    blocks: dict[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        return sum(math.prod(shape) for shape in self.blocks.values())

    @property
    def fingerprint(self) -> str:
        """Changes when the meaning of the numbers does."""
        return hashlib.sha256(json.dumps(self.blocks).encode()).hexdigest()[:12]

    def split(self, row: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Views of the blocks in a row of shape (size,).

        >>> {name: part.tolist() for name, part in Layout({"a": (2,), "b": (1, 2)}).split(np.arange(4)).items()}
        {'a': [0, 1], 'b': [[2, 3]]}
        """
        parts, start = {}, 0
        for name, shape in self.blocks.items():
            end = start + math.prod(shape)
            parts[name] = row[start:end].reshape(shape)
            start = end
        return parts


def histogram(name: str, bounds: tuple[float, ...]) -> dict[str, tuple[int, ...]]:
    """The blocks of a histogram: rows in each bucket, the last one open, and the sum of the values."""
    return {name: (len(bounds) + 1,), f"{name}_sum": (1,)}


def observe(parts: dict[str, NDArray[Any]], name: str, bounds: tuple[float, ...], values: FloatArray) -> None:
    """Add values to a histogram; a value equal to a bound belongs below it, as in Prometheus."""
    parts[name] += np.bincount(np.searchsorted(bounds, values, side="left"), minlength=len(bounds) + 1)
    parts[f"{name}_sum"] += values.sum()


def server_layout(routes: tuple[str, ...]) -> Layout:
    """What one server counts whatever the model. `pid`, `in_flight` and `looked` are states of a worker, not counts."""
    return Layout(
        {
            "pid": (1,),
            "in_flight": (1,),
            "looked": (1,),
            "requests": (len(routes), len(CODES)),
            **{name: (len(routes), *shape) for name, shape in histogram("seconds", DURATION_BOUNDS).items()},
            "feedback": (len(FEEDBACK_RESULTS),),
            "rejected": (len(REJECTIONS),),
        }
    )


def variant_layout(reference: Reference) -> Layout:
    """What is counted of one served variant. `loaded` is when a worker took it up, not a count.

    `signals` are those of the watched rows, `unwatched` what all others were answered (the bins of the first signal); `repeated` are
    those of `signals` that came from rows that were here just before; `estimates` the sum of calibrated confidences and the
    rows above the threshold, see `Calibration.count`; `outlier` rows by level; `waves` rows and the sums of their Fourier features. The
    last two are there if the reference has what they need.
    """
    ranks, fourier = reference.ranks, reference.fitted.fourier
    sizes = [len(profile.counts) for profile in reference.profiles.values()]
    return Layout(
        {
            "loaded": (1,),
            "signals": (sum(sizes),),
            "unwatched": (sizes[0],),
            "repeated": (sum(sizes),),
            **({"outlier": (len(ranks.levels),)} if ranks else {}),
            **({"waves": (1 + len(fourier.phases),)} if fourier else {}),
            "quality": (len(QUALITY_CHECKS),),
            "estimates": (2,),
            **histogram("inference", DURATION_BOUNDS),
            **histogram("queue", DURATION_BOUNDS),
            **histogram("batch", BATCH_BOUNDS),
        }
    )


def label_layout(classes: int) -> Layout:
    """What labels of classes add up to: confusion[actual, predicted], or for many classes outcomes[tp fp fn, class]; their delay; and by
    bins of the confidence answered calibration[rows hits confidences, bin].
    """
    outcome = {"confusion": (classes, classes)} if classes <= CONFUSION_CLASSES else {"outcomes": (3, classes)}
    return Layout({**outcome, **histogram("delay", DELAY_BOUNDS), "calibration": (3, BINS)})
