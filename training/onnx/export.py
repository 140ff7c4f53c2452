"""Export, then doubt: an ONNX file is kept only if it answers as Keras does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from training.errors import ExportError
from training.onnx.answers import answer
from training.onnx.emit import emit
from training.onnx.graph import Graph

#: Largest difference of a probability; float32 sums in another order differ by about 1e-6.
TOLERANCE = 1e-4
_ROWS = 256
_BATCHES = (1, 7, 64)


def export(model: Any, path: Path, x: NDArray[np.uint8], seed: int) -> None:
    """Write the ONNX file of a model and check it against Keras on the images `x` (n, …) and on random ones.

    Raises ExportError if a probability differs by TOLERANCE, an embedding by the same share of its largest value, or any row of `x`
    gets another class.
    """
    onnx.save(emit(model), path)
    random = np.random.default_rng(seed).integers(0, 256, (_ROWS, *x.shape[1:]), dtype=np.uint8)
    for what, images in (("random", random), ("real", x[:_ROWS])):
        expected = keras_answer(model, images)
        for batch in _BATCHES:
            _compare(expected, answer(path, images, batch), f"{path.name} on {what} images, {batch} at a time")
    if not np.array_equal(keras_answer(model, x)[0].argmax(1), answer(path, x)[0].argmax(1)):
        raise ExportError(f"{path.name} gives other classes than Keras; report this network, it is a fault of Veleta")


def keras_answer(model: Any, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Probabilities and embeddings as Keras computes them."""
    embedding = Graph.of(model).embedding.layer.input
    probabilities, embeddings = keras.Model(model.inputs, [model.outputs[0], embedding]).predict(x, batch_size=512, verbose=0)
    return probabilities, embeddings


def _compare(expected: tuple[NDArray[Any], NDArray[Any]], found: tuple[NDArray[Any], NDArray[Any]], where: str) -> None:
    for what, ours, theirs in zip(("probabilities", "embedding"), found, expected, strict=True):
        scale = 1.0 if what == "probabilities" else max(1.0, float(np.abs(theirs).max()))
        difference = float(np.abs(ours - theirs).max()) / scale
        if not difference < TOLERANCE:
            raise ExportError(f"{where}: {what} differ from Keras by {difference:.1e}; report this network, it is a fault of Veleta")
