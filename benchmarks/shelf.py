"""Models that `veleta train` made of public data, trained once into the cache, with the rows that no training has seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.serving.processes import CACHE, environment
from models.errors import VeletaError
from models.store import Published, Store
from monitoring.arrays import FloatArray, IntArray
from monitoring.reference import read_samples
from training.data.sources import NAMES, load

#: Of Fashion-MNIST a fifth: minutes in place of most of an hour, for three points of accuracy.
_SETTINGS = {"fashion-mnist": ["--set", "max_rows=14000", "max_updates=900", "prune_max_updates=400"]}
_MOST_ROWS = 256


def find(store: Path | None, name: str) -> Published:
    """The live model of that name in a store; without a store, trained once on the data set of that name. Raises VeletaError."""
    root = (store or CACHE / "store").resolve()
    if store is None and name not in Store(root).names():
        print(f"Training the founding network on {name} once: some minutes.", file=sys.stderr)
        root.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "veleta", "train", "--data", name, "--store", str(root), *_SETTINGS.get(name, [])]
        if subprocess.run(command, env=environment(), stdout=sys.stderr, check=False).returncode:
            raise VeletaError(f"{name} could not be trained; what it said stands above")
    return Store(root).open(name)


def unseen_rows(published: Published) -> tuple[NDArray[Any], IntArray]:
    """Inputs and labels that the model was not trained on: the test rows of its data set, or those that came with it."""
    training = published.manifest.training
    if training.dataset.name in NAMES:
        test = load(training.dataset.name).split(training.seed, training.recipe["max_rows"]).test
        return test.x, test.y
    samples = read_samples(published.file("reference.npz"))
    return samples.inputs, samples.labels


def answers(published: Published, variant: str, rows: NDArray[Any]) -> FloatArray:
    """Probabilities (n, classes)."""
    session = onnxruntime.InferenceSession(published.path(variant), providers=["CPUExecutionProvider"])
    parts = np.array_split(rows.astype(np.float32), max(1, len(rows) // _MOST_ROWS))
    return np.concatenate([session.run(["probabilities"], {published.manifest.input.name: part})[0] for part in parts])
