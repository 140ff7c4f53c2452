"""How much is simulated: the long form for figures, the short one to see that everything runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Deployments with a reference of their own, runs of each, and without drift those that a limit is chosen on; ticks of a run without
    drift for the promise, and ticks after a shift, for which the limits hold; rows of the world.
    """

    deployments: int
    runs: int
    limit_runs: int
    quiet_ticks: int
    shifted_ticks: int
    rows: int
    short: bool = False


LONG = Plan(deployments=8, runs=8, limit_runs=16, quiet_ticks=2000, shifted_ticks=400, rows=1000)
SHORT = Plan(deployments=2, runs=2, limit_runs=6, quiet_ticks=30, shifted_ticks=40, rows=300, short=True)
