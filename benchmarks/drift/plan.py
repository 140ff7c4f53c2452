"""How much is simulated: the long form for figures, the short one to see that everything runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Deployments with a reference of their own, runs of each; ticks without drift in each, for the promise and for the limits; ticks after
    a shift; rows of the world.
    """

    deployments: int
    runs: int
    quiet_ticks: int
    limit_ticks: int
    shifted_ticks: int
    rows: int
    short: bool = False


LONG = Plan(deployments=8, runs=8, quiet_ticks=2000, limit_ticks=1000, shifted_ticks=400, rows=1000)
SHORT = Plan(deployments=2, runs=2, quiet_ticks=30, limit_ticks=120, shifted_ticks=40, rows=300, short=True)
