"""Kernels of two values a channel, as binary networks have them, kept as one bit a weight: the file gets up to 32 times smaller, 8 in int8.

The graph itself makes the kernel of its bits when a session is opened, in plain ONNX: ONNX Runtime does so once and keeps the outcome as
the constant that it was, so that every answer is the same to the last bit, and takes as long.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray


def pack(path: Path) -> None:
    """Write the ONNX file again with such kernels as bits, where that makes it smaller."""
    model = onnx.load(path)
    constants: list[Any] = []
    nodes: list[Any] = []
    for constant in model.graph.initializer:
        kernel = onnx.numpy_helper.to_array(constant)
        sizes = _sizes(kernel)
        packed = None if sizes is None else _Packed.of(constant.name, kernel, sizes)
        if packed is None or packed.bytes >= constant.ByteSize():
            constants.append(constant)
        else:
            constants += packed.constants
            nodes += packed.nodes
    if nodes:
        nodes += model.graph.node
        del model.graph.node[:], model.graph.initializer[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(constants)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def unpacked(constants: Mapping[str, Any]) -> dict[str, int]:
    """How many numbers the constants of a graph stand for, by their names: what a kernel is made of stands together for that kernel."""
    numbers = {name: math.prod(constant.dims) for name, constant in constants.items()}
    for kernel in [name.removesuffix("/bits") for name in constants if name.endswith("/bits")]:
        if f"{kernel}/shape" in constants:
            shape = onnx.numpy_helper.to_array(constants[f"{kernel}/shape"])
            numbers |= {f"{kernel}/minus": 0, f"{kernel}/plus": math.prod(shape.tolist())}
    return numbers


def _sizes(kernel: NDArray[Any]) -> NDArray[Any] | None:
    """What the weights are but for their sign, in a shape that goes with the kernel's, if that is one number for each output channel: along
    the first axis (Conv, a transposed Gemm) or the last. Where it is one number for all, the axis with fewer will do.
    """
    if kernel.ndim < 2 or kernel.dtype not in (np.float32, np.int8):
        return None
    for axis in sorted((0, kernel.ndim - 1), key=lambda axis: kernel.shape[axis]):
        others = tuple(other for other in range(kernel.ndim) if other != axis)
        size: NDArray[Any] = np.abs(kernel).max(axis=others, keepdims=True)
        if np.array_equal(np.abs(kernel), np.broadcast_to(size, kernel.shape)):
            return size
    return None


@dataclass
class _Packed:
    """The constants that hold a kernel as bits, and the nodes that make it of them, under the name that it had."""

    name: str
    constants: list[Any] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, kernel: NDArray[Any], sizes: NDArray[Any]) -> _Packed:
        made = cls(name)
        bits = made._constant("bits", np.packbits(kernel.ravel() >= 0, bitorder="little")[:, None])
        shifted = made._node("BitShift", bits, made._constant("shifts", np.arange(8, dtype=np.uint8)[None]), direction="RIGHT")
        each = made._node("Cast", made._node("Mod", shifted, made._constant("two", np.array(2, np.uint8))), to=onnx.TensorProto.BOOL)
        flat = made._node("Reshape", each, made._ints("all", -1))
        if kernel.size % 8:
            flat = made._node("Slice", flat, made._ints("start", 0), made._ints("end", kernel.size))
        positive = made._node("Reshape", flat, made._ints("shape", *kernel.shape))
        if kernel.dtype == np.float32:
            made._node("Where", positive, made._constant("plus", sizes), made._constant("minus", -sizes), output=name)
        else:  # ONNX Runtime chooses between numbers of 32 bits, not of 8
            wide = sizes.astype(np.int32)
            chosen = made._node("Where", positive, made._constant("plus", wide), made._constant("minus", -wide))
            made._node("Cast", chosen, output=name, to=onnx.TensorProto.INT8)
        return made

    @property
    def bytes(self) -> int:
        """What it takes in a file, about."""
        return sum(part.ByteSize() for part in (*self.constants, *self.nodes))

    def _node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{self.name}/{operator}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, inputs, [output], name=f"{output}/{operator}", **attributes))
        return output

    def _constant(self, kind: str, array: NDArray[Any]) -> str:
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array), f"{self.name}/{kind}"))
        return f"{self.name}/{kind}"

    def _ints(self, kind: str, *numbers: int) -> str:
        return self._constant(kind, np.array(numbers, dtype=np.int64))
