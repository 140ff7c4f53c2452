"""The graph of a Keras model as plain data: which layer is called on which tensors, in an order in which they can be computed.

Read from `get_config()`, the same description that model.json holds, rather than from Keras' private node objects. Models inside the
model are read through, so that nothing after this has to know of them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

#: Layers that change the pictures. Keras notes training=True for a plain call of one, yet lets all through unless it is fitting.
_AUGMENTING = ("RandomTranslation", "RandomRotation", "RandomZoom", "RandomFlip", "RandomBrightness", "RandomContrast")
#: In float32.
_FLOATS_AT_ONCE = 2**28 // 4
#: Layers that only act while training; served, they let everything through.
TRAIN_ONLY = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
    *_AUGMENTING,
)


class Tensor(NamedTuple):
    """A tensor by the layer that made it, the number of the call and of the output."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True)
class Call:
    """One use of a layer. `name` is the layer's, behind those of the models in which it lies; `arguments` are those of the call by their
    names, with a Tensor for each tensor; `shape` is that of the output without the batch.
    """

    name: str
    layer: Any
    arguments: dict[str, Any]
    output: Tensor
    shape: tuple[int | None, ...]

    @property
    def kind(self) -> str:
        return type(self.layer).__name__

    @property
    def is_layer(self) -> bool:
        """Whether it is a layer, and not arithmetic that stands between layers, as in (x - 127.5) / 127.5."""
        return isinstance(self.layer, keras.Layer)

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(_tensors(self.arguments))


@dataclass(frozen=True)
class Graph:
    """The calls in order, the tensor that comes in and the one that goes out. One input and one output."""

    calls: tuple[Call, ...]
    input: Tensor
    output: Tensor

    @classmethod
    def of(cls, model: Any) -> Graph:
        """The graph of a Sequential or functional model. Raises ValueError if it, or a model in it, has more than one input or output."""
        reader = _Reader()
        output = reader.read(model, "", None)
        return cls(tuple(reader.calls), reader.calls[0].output, output)

    def rows_at_once(self, most: int = 512) -> int:
        """As many rows as keep all its tensors together within a quarter of a GiB, at least one."""
        row = sum(math.prod(size or 1 for size in call.shape) for call in self.calls)
        return max(1, min(most, _FLOATS_AT_ONCE // row))

    @property
    def last_dense(self) -> Call | None:
        return next((call for call in reversed(self.calls) if call.kind == "Dense"), None)

    @property
    def embedding(self) -> Tensor:
        """What goes into the last Dense layer. Without one, as where a convolution tells the classes: the last row of numbers before the
        answer, or the answer itself.
        """
        if self.last_dense:
            return self.last_dense.inputs[0]
        rows = [call.output for call in self.calls if len(call.shape) == 1 and call.output not in (self.input, self.output)]
        return rows[-1] if rows else self.output

    @property
    def answers_values(self) -> bool:
        """Whether it answers a number a row, and not the probabilities of classes."""
        return self.calls[-1].shape == (1,)

    def run(self, x: Any, layers: dict[str, Any] | None = None) -> dict[Tensor, Any]:
        """Every tensor for an input, an array or a symbolic one. `layers` may take the place of its own, by the names of the calls."""
        values = {self.input: x}
        for call in self.calls[1:]:
            values[call.output] = _call((layers or {}).get(call.name, call.layer), call.arguments, values)
        return values

    def embed(self, x: NDArray[Any]) -> NDArray[Any]:
        """The embeddings of the inputs `x` (n, …) as Keras computes them, all at once."""
        taken = keras.ops.convert_to_tensor(x, dtype=self.calls[0].layer.dtype)
        embeddings: NDArray[Any] = keras.ops.convert_to_numpy(self.run(taken)[self.embedding])
        return embeddings


@dataclass
class _Reader:
    """Gathers the calls of a model and of those in it. `_specs` are the shapes and types of the tensors so far."""

    calls: list[Call] = field(default_factory=list)
    _specs: dict[Tensor, Any] = field(default_factory=dict)

    def read(self, model: Any, path: str, taken: Tensor | None) -> Tensor:
        """Add the calls of a model, which takes the tensor `taken` if it lies in another; returns the tensor that it gives."""
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ValueError(f"the model {model.name!r} has more than one input or output")
        functional = keras.Model(model.inputs, model.outputs)  # only the config of a functional model has its tensors
        config, layers = functional.get_config(), {layer.name: layer for layer in functional.operations}
        outer: dict[Tensor, Tensor] = {}  # tensor in the config → tensor of the graph
        for entry, number, arguments in _in_order(config["layers"]):
            layer = layers[entry["name"]]
            inner = Tensor(entry["name"], number, 0)
            mapped = replaced(arguments, lambda tensor: outer[tensor])
            if taken is not None and type(layer).__name__ == "InputLayer":
                outer[inner] = taken
            elif isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
                outer[inner] = self.read(layer, f"{path}{entry['name']}.", next(_tensors(mapped)))
            else:
                outer[inner] = self._add(layer, path + entry["name"], mapped)
        return outer[next(_tensors_of_list(config["output_layers"]))]

    def _add(self, layer: Any, name: str, arguments: Any) -> Tensor:
        named = _named(layer, *arguments)
        output = Tensor(name, sum(call.name == name for call in self.calls), 0)
        spec = self._spec(layer, named)
        if not isinstance(spec, keras.KerasTensor):
            raise ValueError(f"the layer {name!r} gives more than one output")
        self._specs[output] = spec
        self.calls.append(Call(name, layer, named, output, tuple(spec.shape[1:])))
        return output

    def _spec(self, layer: Any, arguments: dict[str, Any]) -> Any:
        if not arguments:  # an InputLayer
            return keras.KerasTensor(layer.batch_shape, layer.dtype)
        return _call(layer.compute_output_spec, {key: value for key, value in arguments.items() if value is not None}, self._specs)


def _in_order(entries: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int, tuple[list[Any], dict[str, Any]]]]:
    """Each use of each layer after all that it takes, with its number and its arguments: a config has the second use beside the first."""
    nodes = [(entry, number, node) for entry in entries for number, node in enumerate(entry["inbound_nodes"] or [{}])]
    waiting = [(entry, number, _parsed((node.get("args", []), node.get("kwargs", {})))) for entry, number, node in nodes]
    known: set[Tensor] = set()
    while waiting:
        later = []
        for entry, number, arguments in waiting:
            if known.issuperset(_tensors(arguments)):
                known.add(Tensor(entry["name"], number, 0))
                yield entry, number, arguments
            else:
                later.append((entry, number, arguments))
        if len(later) == len(waiting):
            raise ValueError(f"the layer {later[0][0]['name']!r} takes one of several outputs of another")
        waiting = later


def _named(layer: Any, positional: list[Any], by_name: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by their names, in the order of the layer's signature."""
    if not positional and not by_name:  # an InputLayer
        return {}
    named = dict(inspect.signature(layer.call).bind(*positional, **by_name).arguments)
    return named | {"training": False} if type(layer).__name__ in _AUGMENTING else named


def _call(function: Callable[..., Any], arguments: dict[str, Any], values: dict[Tensor, Any]) -> Any:
    """Call with the values of the tensors. Keras wants the first argument without its name."""
    first, *others = replaced(arguments, lambda tensor: values[tensor]).items()
    return function(first[1], **dict(others))


def _parsed(value: Any) -> Any:
    """A serialized argument with a Tensor for each of Keras' descriptions of one."""
    if isinstance(value, dict):
        kind = value.get("class_name")
        if kind == "__keras_tensor__":
            return Tensor(*value["config"]["keras_history"])
        if kind in ("__numpy__", "__tensor__"):
            return np.array(value["config"]["value"], dtype=value["config"]["dtype"])
        if kind == "__ellipsis__":
            return ...
        if kind == "__slice__":
            return slice(*(value["config"][part] for part in ("start", "stop", "step")))
        return {key: _parsed(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_parsed(part) for part in value)
    return value


def replaced(value: Any, by: Callable[[Tensor], Any]) -> Any:
    """The same structure with something else in the place of each tensor."""
    if isinstance(value, Tensor):
        return by(value)
    if isinstance(value, dict):
        return {key: replaced(part, by) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(replaced(part, by) for part in value)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in a structure, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def _tensors_of_list(value: Any) -> Iterator[Tensor]:
    """["a", 0, 0] or [["a", 0, 0]]: Keras leaves the outer list away where there is one tensor."""
    yield from ([Tensor(*value)] if isinstance(value[0], str) else [Tensor(*tensor) for tensor in value])
