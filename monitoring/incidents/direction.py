"""In which direction a signal has moved, in words, from its bins alone.

>>> edges = np.array([1.0, 2.0, 3.0])
>>> moved_values(edges, np.array([10, 10, 10, 10]), np.array([0, 0, 10, 30]))
'up: 2 → above 3'
>>> moved_shares(("cat", "dog", "emu"), np.array([50, 40, 10]), np.array([5, 85, 10]))
'cat: 50 % → 5.0 %, dog: 40 % → 85 %'
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from monitoring.arrays import FloatArray, IntArray
from monitoring.incidents.wording import percent

#: Bins that are named where no direction can be.
_NAMED = 2
_NOTHING = "no rows to compare"


def moved_values(edges: FloatArray, before: FloatArray | IntArray, since: FloatArray | IntArray) -> str:
    """Of a quantity with inner `edges`: its medians, or if they lie in the same bin the bins whose share has changed most."""
    if not before.sum() or not since.sum():
        return _NOTHING
    old, new = _median(edges, before), _median(edges, since)
    if old[0] == new[0]:
        return moved_shares(bin_names(edges), before, since)
    return f"{'up' if new > old else 'down'}: {_place(edges, old)} → {_place(edges, new)}"


def moved_shares(names: Sequence[str], before: FloatArray | IntArray, since: FloatArray | IntArray) -> str:
    """Of categories: those whose share has changed most."""
    if not before.sum() or not since.sum():
        return _NOTHING
    old, new = (counts / counts.sum() for counts in (before, since))
    most = np.argsort(-np.abs(new - old), kind="stable")[:_NAMED]
    return ", ".join(f"{names[place]}: {percent(old[place])} → {percent(new[place])}" for place in most)


def bin_names(edges: FloatArray) -> tuple[str, ...]:
    """What lies in each of the bins between inner `edges`; an edge at infinity parts off what is missing.

    >>> bin_names(np.array([0.5, 1.25, np.inf]))
    ('below 0.5', '0.5 to 1.25', 'from 1.25', 'missing')
    """
    inner = [f"{edge:.3g}" for edge in edges[np.isfinite(edges)].tolist()]
    between = [f"{low} to {high}" for low, high in pairwise(inner)]
    named = [f"below {inner[0]}", *between, f"from {inner[-1]}"] if inner else ["any"]
    return (*named, *["missing"] * (len(edges) - len(inner)))


def _median(edges: FloatArray, counts: FloatArray | IntArray) -> tuple[int, float]:
    """The bin with the median, and how far into it the median lies."""
    up_to = np.cumsum(counts, dtype=np.float64)
    half = up_to[-1] / 2
    place = int(np.searchsorted(up_to, half))
    below = up_to[place - 1] if place else 0.0
    return place, float((half - below) / max(1e-9, up_to[place] - below))


def _place(edges: FloatArray, median: tuple[int, float]) -> str:
    place, share = median
    if place >= len(edges) or not np.isfinite(edges[place]):
        return "missing" if place > len(edges[np.isfinite(edges)]) else f"above {edges[place - 1]:.3g}" if place else "any"
    if place == 0:
        return f"below {edges[0]:.3g}"
    return f"{edges[place - 1] + share * (edges[place] - edges[place - 1]):.3g}"
