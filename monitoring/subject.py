"""A subject: one variant of one version of one model, which is what is watched. It is known by `name/version/variant`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from models.manifest import Manifest
from models.store import Published
from monitoring.accuracy.estimation import Estimate
from monitoring.arrays import FloatArray
from monitoring.counts.layout import Layout, variant_layout
from monitoring.reference import Reference, read_reference
from monitoring.tasks.classification import Classification
from monitoring.tasks.regression import Regression
from monitoring.tasks.task import Task


@dataclass(frozen=True)
class Subject:
    """What is watched, with the reference that it is compared with."""

    manifest: Manifest
    variant: str
    reference: Reference

    @classmethod
    def load(cls, published: Published, variant: str | None = None) -> Subject:
        """Read the reference of a variant (of the default one without a name)."""
        name = published.manifest.variant(variant).name
        return cls(published.manifest, name, read_reference(published.file("reference.npz"), name))

    @cached_property
    def key(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}/{self.variant}"

    @cached_property
    def fingerprint(self) -> bytes:
        return fingerprint(self.key)

    @cached_property
    def layout(self) -> Layout:
        return variant_layout(self.reference)

    @cached_property
    def task(self) -> Task:
        metrics, reference = self.manifest.variant(self.variant).metrics, self.reference
        if self.manifest.task == "regression":
            return Regression(metrics.get("mae"), reference.residuals)
        return Classification(self.manifest.classes, metrics.get("accuracy"), reference.calibration)

    def answered(self, counts: FloatArray) -> FloatArray:
        """Rows answered, by the bins of what was answered (bins,)."""
        parts = self.layout.split(counts)
        rows: FloatArray = self.reference.answers(parts["signals"]) + parts["unwatched"]
        return rows

    def watched(self, counts: FloatArray) -> float:
        """How many of them are watched: all, unless there are too many for that."""
        return float(self.reference.answers(self.layout.split(counts)["signals"]).sum())

    def estimated(self, counts: FloatArray) -> Estimate | None:
        """How right the answers are that `counts` are of, without labels; None where that cannot be told."""
        parts = self.layout.split(counts)
        return self.task.estimated(self.reference.answers(parts["signals"]), parts)


def fingerprint(key: str) -> bytes:
    """Eight bytes that stand for a subject's key in a receipt."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()
