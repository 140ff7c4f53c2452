"""Writing an ONNX graph: nodes, constants, and values that know how they lie in memory.

Keras has (places…, channels), where the places are height and width of an image or the time of a sequence. ONNX' convolutions want the
channels first, its recurrent operators the time before the batch. A value is moved only where an operator needs another order, so a
network of convolutions or of recurrent layers is turned once, and one of dense layers never.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from training.errors import ExportError

Shape = tuple[int | None, ...]


class Layout(Enum):
    """How a value lies, compared to its Keras tensor."""

    KERAS = "as in Keras"
    CHANNELS_FIRST = "(batch, channels, places…)"
    TIME_FIRST = "(time, batch, channels)"
    FLATTENED = "(batch, channels · places)"


@dataclass(frozen=True)
class Value:
    """A tensor of the ONNX graph.

    `shape` is that of the Keras tensor without the batch, `image` its (places…, channels) before it was flattened, `scale` a
    factor that is still to be applied: it goes into the next kernel, where it costs nothing.
    """

    name: str
    shape: Shape
    layout: Layout = Layout.KERAS
    image: Shape = ()
    scale: float = 1.0


class Writer:
    """Gathers the nodes and constants of one ONNX graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.scope = ""  # the layer being written: it begins the names, so that they can be found again in a viewer

    def node(self, operator: str, *inputs: str, output: int = 0, **attributes: Any) -> str:
        """Add a node; returns the name of its one output that is used, as a rule the first."""
        name = self._unused(f"{self.scope}/{operator}", {node.name for node in self.nodes})
        outputs = [*[""] * output, f"{name}:{output}"]
        self.nodes.append(onnx.helper.make_node(operator, inputs, outputs, name=name, **attributes))
        return outputs[-1]

    def constant(self, kind: str, array: NDArray[Any]) -> str:
        """Add a constant; returns its name."""
        name = self._unused(f"{self.scope}/{kind}", set(self.constants))
        self.constants[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def floats(self, kind: str, array: Any) -> str:
        return self.constant(kind, np.asarray(array, dtype=np.float32))

    def ints(self, kind: str, *numbers: int) -> str:
        return self.constant(kind, np.array(numbers, dtype=np.int64))

    def reshape(self, name: str, *shape: int) -> str:
        """Reshape; a 0 keeps that dimension, so that the batch stays dynamic."""
        return self.node("Reshape", name, self.ints("shape", *shape))

    def scaled(self, value: Value) -> Value:
        """With its pending scale applied."""
        if value.scale == 1.0:
            return value
        axes = 2 if value.layout is Layout.FLATTENED else len(value.shape) + 1
        factor = np.full([1] * axes, value.scale)  # with fewer axes a last one of a single channel takes thirty times as long
        return dataclasses.replace(value, name=self.node("Mul", value.name, self.floats("scale", factor)), scale=1.0)

    def plain(self, value: Value) -> Value:
        """As the Keras tensor lies, its scale applied."""
        return self.keras(self.scaled(value))

    def keras(self, value: Value) -> Value:
        """As the Keras tensor lies; a scale stays pending."""
        name = value.name
        if value.layout is Layout.FLATTENED:
            *places, channels = known(value.image, self.scope)
            name = self.reshape(self._channels_last(self.reshape(name, 0, channels, *places), len(places)), 0, -1)
        elif value.layout is Layout.CHANNELS_FIRST:
            name = self._channels_last(name, len(value.shape) - 1)
        elif value.layout is Layout.TIME_FIRST:
            name = self.node("Transpose", name, perm=[1, 0, 2])
        return Value(name, value.shape, scale=value.scale)

    def features_last(self, value: Value) -> Value:
        """With the channels as the last axis, wherever batch and time are; a scale stays pending."""
        return value if value.layout is Layout.TIME_FIRST else self.keras(value)

    def channels_first(self, value: Value) -> Value:
        """With its channels before its places; a single channel has only to be named elsewhere. A scale stays pending."""
        if value.layout is Layout.CHANNELS_FIRST:
            return value
        if not 2 <= len(value.shape) <= 3:
            raise ExportError(f"{self.scope} takes shape {value.shape}, expected (height, width, channels) or (time, channels)")
        if value.layout is Layout.TIME_FIRST:
            name = self.node("Transpose", value.name, perm=[1, 2, 0])
        elif value.shape[-1] == 1 and None not in value.shape:
            *places, channels = known(value.shape, self.scope)
            name = self.reshape(value.name, 0, channels, *places)
        else:
            name = self.node("Transpose", value.name, perm=[0, len(value.shape), *range(1, len(value.shape))])
        return dataclasses.replace(value, name=name, layout=Layout.CHANNELS_FIRST)

    def time_first(self, value: Value) -> Value:
        """A sequence with its time before the batch; a scale stays pending."""
        if value.layout is Layout.TIME_FIRST:
            return value
        if len(value.shape) != 2:
            raise ExportError(f"{self.scope} takes shape {value.shape}, expected (time, channels)")
        perm = [2, 0, 1] if value.layout is Layout.CHANNELS_FIRST else [1, 0, 2]
        return dataclasses.replace(value, name=self.node("Transpose", value.name, perm=perm), layout=Layout.TIME_FIRST)

    def _channels_last(self, name: str, places: int) -> str:
        return self.node("Transpose", name, perm=[0, *range(2, places + 2), 1])

    def rename(self, old: str, new: str) -> None:
        """Call a value otherwise, wherever it is made and used."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name == old:
                        names[place] = new

    def _unused(self, wanted: str, taken: set[str]) -> str:
        return wanted if wanted not in taken else f"{wanted}_{sum(name.startswith(wanted) for name in taken)}"


def known(shape: Shape, scope: str) -> tuple[int, ...]:
    """The shape, if all of it is known. Raises ExportError."""
    sizes = tuple(size for size in shape if size is not None)
    if len(sizes) != len(shape):
        raise ExportError(f"{scope} takes shape {shape}; give the network an input of known size")
    return sizes


def as_float32(variable: Any) -> NDArray[np.float32]:
    """A Keras variable as an array."""
    return np.asarray(variable, dtype=np.float32)
