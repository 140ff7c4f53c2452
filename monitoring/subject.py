"""A subject: one variant of one version of one model, which is what is watched. It is known by `name/version/variant`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from models.manifest import Manifest
from models.store import Published
from monitoring.counts.layout import Layout, label_layout, variant_layout
from monitoring.reference import Reference, read_reference


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
    def label_layout(self) -> Layout:
        return label_layout(len(self.manifest.classes))


def fingerprint(key: str) -> bytes:
    """Eight bytes that stand for a subject's key in a receipt."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()
