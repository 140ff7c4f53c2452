"""The graph of a Keras model as plain data: which layer is called on which tensors, in an order in which they can be computed.

Read from `get_config()`, the same description that model.json holds, rather than from Keras' private node objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

#: A tensor by the layer that made it, the number of the call and of the output.
Tensor = tuple[str, int, int]

#: Layers that only act while training; served, they let everything through.
TRAIN_ONLY = (
    *("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise"),
    *("RandomTranslation", "RandomRotation", "RandomZoom", "RandomFlip", "RandomBrightness", "RandomContrast"),
)


@dataclass(frozen=True)
class Call:
    """One use of a layer: `shape` is that of its output without the batch."""

    layer: Any
    inputs: tuple[Tensor, ...]
    output: Tensor
    shape: tuple[int | None, ...]

    @property
    def kind(self) -> str:
        return type(self.layer).__name__


@dataclass(frozen=True)
class Graph:
    """The calls in order, the tensor that comes in and the one that goes out. One input and one output."""

    calls: tuple[Call, ...]
    input: Tensor
    output: Tensor

    @classmethod
    def of(cls, model: Any) -> Graph:
        """The graph of a Sequential or functional model. Raises ValueError if it has more than one input or output."""
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ValueError("the model has more than one input or output")
        functional = keras.Model(model.inputs, model.outputs)
        config = functional.get_config()
        shapes: dict[Tensor, tuple[int | None, ...]] = {}
        calls = []
        for entry in config["layers"]:
            layer = functional.get_layer(entry["name"])
            for number, node in enumerate(entry["inbound_nodes"] or [None]):
                inputs = tuple(_tensors(node))
                output = (entry["name"], number, 0)
                shapes[output] = _output_shape(layer, [shapes[tensor] for tensor in inputs])
                calls.append(Call(layer, inputs, output, shapes[output]))
        return cls(tuple(calls), next(_tensors_of_list(config["input_layers"])), next(_tensors_of_list(config["output_layers"])))

    @property
    def embedding(self) -> Call:
        """The last Dense layer: what goes into it is the embedding. Raises ValueError without one."""
        dense = [call for call in self.calls if call.kind == "Dense"]
        if not dense:
            raise ValueError("the model has no Dense layer")
        return dense[-1]


def _output_shape(layer: Any, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
    if not shapes:  # an InputLayer
        return tuple(layer.batch_shape[1:])
    batched = [(None, *shape) for shape in shapes]
    return tuple(layer.compute_output_shape(batched[0] if len(batched) == 1 else batched)[1:])


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor mentioned in the serialized arguments of a call, in order."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            name, call, output = value["config"]["keras_history"]
            yield (name, call, output)
        else:
            for part in value.values():
                yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)


def _tensors_of_list(value: Any) -> Iterator[Tensor]:
    """["a", 0, 0] or [["a", 0, 0]]: Keras leaves the outer list away where there is one tensor."""
    yield from ([(value[0], value[1], value[2])] if isinstance(value[0], str) else [(n, c, o) for n, c, o in value])
