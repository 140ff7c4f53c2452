"""A small network that was trained without Veleta, and the quick import of such."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

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


def torch_like(network: Any, opset: int = 11) -> onnx.ModelProto:
    """The network as PyTorch exports it: channels first, flattened in that order, a batch of 1, logits, weights (out, in)."""
    convolution, _, hidden, last = network.layers
    kernel, bias = (np.asarray(weight) for weight in convolution.weights)
    (w1, b1), (w2, b2) = ([np.asarray(weight) for weight in layer.weights] for layer in (hidden, last))
    first = w1.reshape(13, 13, 8, -1).transpose(2, 0, 1, 3).reshape(w1.shape)
    weights = {"conv.w": kernel.transpose(3, 2, 0, 1), "conv.b": bias, "fc1.w": first.T, "fc1.b": b1, "fc2.w": w2.T, "fc2.b": b2}
    nodes = [
        helper.make_node("Conv", ["image", "conv.w", "conv.b"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "fc1.w", "fc1.b"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["hr"]),
        helper.make_node("Gemm", ["hr", "fc2.w", "fc2.b"], ["probabilities"], transB=1),  # a name that is ours
    ]
    constants = [numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name) for name, value in weights.items()]
    inputs = [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 1, 28, 28])]
    outputs = [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [1, 10])]
    graph = helper.make_graph(nodes, "torch", inputs, outputs, constants)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])
