"""A small network that was trained without Veleta, and the quick import of such."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from models.store import Published, Store
from training.data.sources import digits, load
from training.fitting.progress import Progress
from training.importing.bring import bring
from training.recipe import read_recipe

L = keras.layers
#: Shrinking with little data, in seconds.
QUICK = ("max_rows=700", "prune_epochs=1", "calibration_rows=64")


@dataclass(frozen=True)
class Brought:
    """Digits that a small network learnt from, those that it did not, and the network, which takes pixels from 0 to 1."""

    network: Any
    x: NDArray[np.uint8]
    y: NDArray[np.int64]
    folder: Path

    @property
    def reference(self) -> Path:
        return self.folder / "reference.npz"


def convolutional() -> Any:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            L.Conv2D(8, 3, strides=2, activation="relu"),
            L.Flatten(),
            L.Dense(24, activation="relu"),
            L.Dense(10, activation="softmax"),
        ]
    )


def fitted(network: Any, x: NDArray[Any], y: NDArray[Any], loss: Any = "sparse_categorical_crossentropy", epochs: int = 4) -> Any:
    network.compile("adam", loss)
    network.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
    return network


def asked(network: Any, x: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(network(x, training=False))


def quickly(files: list[Path], reference: Path, store: Path, *, pixels: str | None = None, name: str = "brought") -> tuple[Published, str]:
    """The version, and what was said."""
    said = io.StringIO()
    published = bring(files, read_recipe(None, QUICK), load(str(reference)), name, Store(store), Progress(said), pixels)
    return published, said.getvalue()


def made_in(folder: Path) -> Brought:
    """Fitted to half of the digits; the other half is the reference."""
    keras.utils.set_random_seed(0)
    part, order = digits().rest, np.random.default_rng(0).permutation(5000)
    x, y = part.x[order], part.y[order]
    network = fitted(convolutional(), x[:2500] / np.float32(255), y[:2500])
    np.savez(folder / "reference.npz", x=x[2500:], y=y[2500:])
    return Brought(network, x[2500:], y[2500:], folder)
