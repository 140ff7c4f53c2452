"""A finding: what is wrong, where, on what evidence, and what to do. What is published of it is models.manifest.Verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.manifest import Verdict

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """`confidence` is how often a verdict of this kind was right in the calibration runs, None if it was never given there.

    `layer` and `epoch` (from 1) where they are known.
    """

    kind: str
    severity: Severity
    evidence: str
    remedy: str
    confidence: float | None
    layer: str | None = None
    epoch: int | None = None

    @property
    def where(self) -> str:
        """In words.

        >>> Finding("dead-units", "warning", "", "", 0.9, "dense", 3).where
        'layer dense, epoch 3'
        """
        places = [f"layer {self.layer}" if self.layer else "", f"epoch {self.epoch}" if self.epoch else ""]
        return ", ".join(place for place in places if place) or "the training"

    @property
    def ill(self) -> bool:
        """Whether something is wrong, rather than worth knowing."""
        return self.severity != "info"

    def verdict(self) -> Verdict:
        """As the manifest has it."""
        return Verdict(self.kind, self.severity, self.where, f"{self.evidence} {self._sure}", self.remedy)

    def __str__(self) -> str:
        return f"{self.severity}: {self.kind} in {self.where}. {self.evidence} {self.remedy} {self._sure}"

    @property
    def _sure(self) -> str:
        if self.confidence is None:
            return "(How often verdicts of this kind are right was not measured.)"
        return f"(Verdicts of this kind were right in {self.confidence:.0%} of the calibration runs.)"
