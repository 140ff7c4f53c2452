"""Pure functions from facts to a finding, or None. Rule: numpy only; every number compared with comes from `thresholds`."""

from __future__ import annotations

from collections.abc import Callable

from training.diagnosis.facts import Facts
from training.diagnosis.finding import Finding

Rule = Callable[[Facts], Finding | None]
