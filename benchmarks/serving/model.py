"""What is served: a published model, and requests about its own samples in the two forms that every server has."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.serving.processes import CACHE, environment
from models.errors import VeletaError
from models.store import Published, Store
from monitoring.reference import read_samples

#: Bodies in turn: enough that no two neighbours are alike, few enough to lie in the processor's cache for every server alike.
_BODIES = {1: 16, 32: 4}


@dataclass(frozen=True)
class Model:
    """A live model of a store, in one of its variants."""

    published: Published
    variant: str

    @property
    def store(self) -> Path:
        return self.published.folder.parents[1]

    @property
    def path(self) -> Path:
        return self.published.path(self.variant)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""
        return tuple(size or 1 for size in self.published.manifest.input.shape[1:])

    @property
    def input(self) -> str:
        return self.published.manifest.input.name

    @cached_property
    def images(self) -> NDArray[np.uint8]:
        """Flat rows (n, values) of the samples that came with the model."""
        samples = read_samples(self.published.file("reference.npz")).inputs
        return np.ascontiguousarray(samples.reshape(len(samples), -1), dtype=np.uint8)

    def groups(self, rows: int) -> list[NDArray[np.uint8]]:
        """Rows for requests of so many."""
        order = np.arange(_BODIES[rows] * rows) % len(self.images)
        return np.split(self.images[order], _BODIES[rows])

    @cached_property
    def expected(self) -> NDArray[np.float32]:
        """Probabilities of the first rows, to hold every server's first answer against."""
        session = onnxruntime.InferenceSession(self.path, providers=["CPUExecutionProvider"])
        rows = self.groups(32)[0].reshape(-1, *self.shape).astype(np.float32)
        found: NDArray[np.float32] = session.run(["probabilities"], {self.input: rows})[0]
        return found


def find(store: Path | None, name: str, variant: str) -> Model:
    """The model to serve; without a store, the founding network, trained once into the cache. Raises VeletaError."""
    root = store or _founding_store()
    names = Store(root).names()
    published = Store(root.resolve()).open(name or (names[0] if names else "digits"))
    if published.manifest.input.kind != "image":
        raise VeletaError(f"{published.manifest.name} takes no images; choose another model with --model NAME")
    published.path(variant)
    return Model(published, variant)


def _founding_store() -> Path:
    root = CACHE / "store"
    if not Store(root).names():
        print("Training the founding network once, about two minutes.", file=sys.stderr)
        root.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "veleta", "train", "--store", root], env=environment(), stdout=sys.stderr, check=True)
    return root
