"""How long everything takes: the long form for figures, the short one to see that everything runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Seconds of each part. `passes` are rounds of anchors and Veleta around the peers, `pairs` of turns are with and without monitoring,
    after each of `watched_starts` of both servers.
    """

    cell: float
    warm_up: float
    anchor: float
    passes: int
    watched_starts: int
    pairs: int
    turn: float
    starts: int
    overload: float
    soak: float


LONG = Plan(cell=8, warm_up=2, anchor=4, passes=2, watched_starts=16, pairs=4, turn=1.5, starts=3, overload=60, soak=600)
SHORT = Plan(cell=0.5, warm_up=0.5, anchor=0.5, passes=1, watched_starts=1, pairs=1, turn=0.5, starts=1, overload=2, soak=2)
