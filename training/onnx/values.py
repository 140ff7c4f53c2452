"""Writing an ONNX graph: nodes, constants, and values that know how they lie in memory.

Keras' images are (height, width, channels), ONNX' convolutions want (channels, height, width). A value is moved only where an
operator needs the other order, so a network of convolutions is turned once, and one of dense layers never.
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
    CHANNELS_FIRST = "(batch, channels, height, width)"
    FLATTENED = "(batch, channels · height · width)"


@dataclass(frozen=True)
class Value:
    """A tensor of the ONNX graph.

    `shape` is that of the Keras tensor without the batch, `image` its (height, width, channels) before it was flattened, `scale` a
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

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns the name of that."""
        name = self._unused(f"{self.scope}/{operator}", {node.name for node in self.nodes})
        self.nodes.append(onnx.helper.make_node(operator, inputs, [f"{name}:0"], name=name, **attributes))
        return f"{name}:0"

    def constant(self, kind: str, array: NDArray[Any]) -> str:
        """Add a constant; returns its name."""
        name = self._unused(f"{self.scope}/{kind}", set(self.constants))
        self.constants[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def floats(self, kind: str, array: Any) -> str:
        return self.constant(kind, np.asarray(array, dtype=np.float32))

    def reshape(self, name: str, *shape: int) -> str:
        """Reshape; a 0 keeps that dimension, so that the batch stays dynamic."""
        return self.node("Reshape", name, self.constant("shape", np.array(shape, dtype=np.int64)))

    def scaled(self, value: Value) -> Value:
        """With its pending scale applied."""
        if value.scale == 1.0:
            return value
        return dataclasses.replace(value, name=self.node("Mul", value.name, self.floats("scale", value.scale)), scale=1.0)

    def plain(self, value: Value) -> Value:
        """As the Keras tensor lies, its scale applied."""
        value = self.scaled(value)
        name = value.name
        if value.layout is Layout.FLATTENED:
            height, width, channels = known(value.image, self.scope)
            name = self.reshape(name, 0, channels, height, width)
        if value.layout is not Layout.KERAS:
            name = self.node("Transpose", name, perm=[0, 2, 3, 1])
        if value.layout is Layout.FLATTENED:
            name = self.reshape(name, 0, -1)
        return Value(name, value.shape)

    def channels_first(self, value: Value) -> Value:
        """An image with its channels before height and width; a single channel has only to be named elsewhere."""
        if value.layout is Layout.CHANNELS_FIRST:
            return value
        if len(value.shape) != 3:
            raise ExportError(f"{self.scope} takes shape {value.shape}, expected (height, width, channels)")
        if value.shape[-1] == 1 and None not in value.shape:
            height, width, channels = known(value.shape, self.scope)
            name = self.reshape(value.name, 0, channels, height, width)
        else:
            name = self.node("Transpose", value.name, perm=[0, 3, 1, 2])
        return dataclasses.replace(value, name=name, layout=Layout.CHANNELS_FIRST)

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
