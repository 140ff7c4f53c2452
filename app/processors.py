"""How many processors this process may really use: by affinity and by the limit of its control group, not by what the host has."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def processors(cgroups: Path = _CGROUPS) -> int:
    """At least 1. Reads the quota of control groups version 2 (cpu.max) or 1 (cpu.cfs_quota_us)."""
    allowed = len(os.sched_getaffinity(0))
    quota = _quota(cgroups)
    return max(1, min(allowed, math.ceil(quota) if quota else allowed))


def _quota(cgroups: Path) -> float | None:
    """Processors by the quota, or None without one."""
    try:
        quota, period = (cgroups / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((cgroups / "cpu" / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        except OSError:
            return None
    return int(quota) / int(period) if quota not in ("max", "-1") else None
