"""How long everything takes: the long form for figures, the short one to see that everything runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Seconds of each part. In each of the `rounds` the anchors and all servers have their `turn`. A server that is `watched` for so long,
    in turns, is started `watched_starts` times.
    """

    warm_up: float
    rounds: int
    turn: float
    alone: float
    watched_starts: int
    watched: float
    starts: int
    overload: float
    soak: float


LONG = Plan(warm_up=2, rounds=6, turn=2, alone=8, watched_starts=6, watched=40, starts=3, overload=60, soak=600)
SHORT = Plan(warm_up=0.5, rounds=1, turn=0.5, alone=0.5, watched_starts=1, watched=2, starts=1, overload=2, soak=2)
