"""Making a finding of a kind: its severity and remedy come from the table of kinds, its confidence from what was measured."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from training.diagnosis.finding import Finding, Severity
from training.diagnosis.kinds import KINDS

_MEASURED = Path(__file__).with_name("confidence.json")


def found(
    kind: str, evidence: str, layer: str | None = None, epoch: int | None = None, severity: Severity | None = None, remedy: str = ""
) -> Finding:
    """A finding of that kind."""
    known = KINDS[kind]
    return Finding(kind, severity or known.severity, evidence, remedy or known.remedy, confidence(kind), layer, epoch)


def confidence(kind: str) -> float | None:
    """How often a verdict of this kind, named first, was right: (right + 1) / (named + 2), Laplace's rule.

    In those runs of `benchmarks.diagnosis` that no threshold was chosen on. None for a kind that was never named there.
    """
    right, named = _measured().get(kind, (0, 0))
    return (right + 1) / (named + 2) if named else None


@cache
def _measured() -> dict[str, tuple[int, int]]:
    return {kind: (right, named) for kind, (right, named) in json.loads(_MEASURED.read_text(encoding="utf-8")).items()}
