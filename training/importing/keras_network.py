"""Networks in Keras' files: a .keras file, model.json with its weights, or a whole model in the old HDF5 form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.manifest import Input
from monitoring.arrays import FloatArray
from training.errors import NetworkError
from training.importing.door import Door, Shape
from training.networks.arguments import first_sentence
from training.networks.files import read_model
from training.networks.rebuilt import rebuilt
from training.onnx.graph import Graph
from training.quiet import quiet_libraries


class KerasNetwork:
    """A Keras model that others made."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Of a .keras file, of a .json file and its weights, or of an .h5 file. Raises NetworkError if they cannot be read."""
        named = " and ".join(str(file) for file in files)
        try:
            self._model = read_model(files)
        except Exception as error:  # Keras, h5py and zipfile raise a dozen kinds
            raise NetworkError(f"{named} cannot be read as a Keras model: {first_sentence(error)}{_hint(str(error))}") from error
        try:
            self._graph = Graph.of(self._model)
        except (ValueError, AttributeError, TypeError) as error:  # a subclassed model has no inputs before it is called
            raise NetworkError(f"{named} is no network of layers with one input and one output: {first_sentence(error)}") from error
        for call in self._graph.calls:
            call.layer.dtype_policy = "float32"  # what was trained in float16 has its weights in float32, and is served so

    @property
    def takes(self) -> Shape:
        """The shape of a row."""
        return tuple(self._graph.calls[0].shape)

    @property
    def layers(self) -> tuple[tuple[str, str], ...]:
        """Each layer, and the shape of what it gives."""
        return tuple((call.kind, " × ".join(str(size or "any") for size in call.shape)) for call in self._graph.calls)

    def ask(self, rows: FloatArray) -> FloatArray:
        """What it answers to rows as it takes them."""
        try:
            with quiet_libraries():
                found: FloatArray = np.asarray(self._model(rows, training=False), dtype=np.float32)
        except Exception as error:  # TensorFlow's own kinds, as for a token that is beyond an Embedding
            raise NetworkError(f"the network cannot answer rows of the reference: {first_sentence(error)}") from error
        return found

    def behind(self, door: Door, taken: Input) -> Any:
        """A Keras model of its layers, all lying open, that takes rows as the server has them and answers as it reads them."""
        inner = Graph.of(rebuilt(self._model))
        inputs = keras.Input(taken.shape[1:], name=taken.name)
        x = inputs
        for layer in _before(door, inputs.shape[1:]):
            x = layer(x)
        answer = inner.run(x)[inner.output]
        for layer in _after(door):
            answer = layer(answer)
        if door.ending in ("pair", "sigmoid pair"):
            other = keras.layers.Rescaling(-1.0, 1.0, name="door_other_class")(answer)
            answer = keras.layers.Concatenate(name="door_classes")([other, answer])
        return keras.Model(inputs, answer, name="network")


def _hint(error: str) -> str:
    if "Lambda" in error:
        return "; a Lambda layer holds Python code, which is not run: say it with layers of Keras"
    if "Could not locate class" in error or "Unknown layer" in error:
        return "; only layers that come with Keras can be served"
    return ""


def _before(door: Door, row: Sequence[int]) -> list[Any]:
    layers: list[Any] = []
    if door.scale != (1.0, 0.0):
        layers.append(keras.layers.Rescaling(*door.scale, name="door_pixels"))
    if door.axes is not None:
        layers.append(keras.layers.Permute([axis + 1 for axis in door.axes], name="door_channels"))
    elif door.shape != tuple(row):
        layers.append(keras.layers.Reshape(door.shape, name="door_shape"))
    return layers


def _after(door: Door) -> list[Any]:
    if door.ending == "softmax":
        return [keras.layers.Softmax(name="door_probabilities")]
    return [keras.layers.Activation("sigmoid", name="door_probability")] if door.ending == "sigmoid pair" else []
