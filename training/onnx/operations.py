"""Arithmetic that stands between layers, as in x / 127.5 - 1 or in Keras' `preprocess_input`, as ONNX: a function an operation, one table.

An emitter takes the writer, the Keras operation, the shape of what it gives (without the batch) and its operands: values, numbers, or
arrays of numbers by channel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from training.errors import ExportError
from training.onnx.merging import pairwise
from training.onnx.normalizing import beside, by_channel
from training.onnx.values import Shape, Value, Writer


def _arithmetic(operator: str, writer: Writer, operation: Any, shape: Shape, first: Any, second: Any) -> Value:
    """first operator second. A plain factor waits for the next kernel."""
    if isinstance(first, Value) and isinstance(second, Value):
        return pairwise(writer, operator, operation, shape, (first, second))
    value, other = (first, second) if isinstance(first, Value) else (second, first)
    numbers = np.asarray(other, dtype=np.float32)
    if numbers.size > 1 and (numbers.shape[-1] != numbers.size or numbers.size != shape[-1]):
        raise ExportError(f"{operation.name} takes numbers of shape {numbers.shape}, which cannot be exported; give one for each channel")
    if numbers.size == 1 and (operator == "Mul" or (operator == "Div" and value is first)):
        factor = float(numbers.ravel()[0])
        return dataclasses.replace(value, scale=value.scale * factor if operator == "Mul" else value.scale / factor)
    value = by_channel(writer, value)
    operands = value.name, writer.floats("numbers", beside(value, numbers))
    return dataclasses.replace(value, name=writer.node(operator, *(operands if isinstance(first, Value) else operands[::-1])))


def _get_item(writer: Writer, operation: Any, shape: Shape, value: Value, key: Any) -> Value:
    """x[..., k]: one of the channels."""
    if not (isinstance(key, list | tuple) and len(key) == 2 and key[0] is ... and isinstance(key[1], int)):
        raise ExportError(f"{operation.name} takes a part of a tensor that cannot be exported; one of the channels can: x[..., 0]")
    channel = writer.node("Gather", writer.plain(value).name, writer.ints("channel", key[1]), axis=-1)
    return Value(writer.node("Squeeze", channel, writer.ints("last", -1)), shape)


def _stack(writer: Writer, operation: Any, shape: Shape, values: list[Value]) -> Value:
    """Tensors as the channels of one."""
    if operation.axis not in (-1, len(shape)):
        raise ExportError(f"{operation.name} stacks along the axis {operation.axis}; only the last one can be exported")
    last = writer.ints("last", -1)
    return Value(writer.node("Concat", *(writer.node("Unsqueeze", writer.plain(value).name, last) for value in values), axis=-1), shape)


OPERATIONS: dict[str, Callable[..., Value]] = {
    "Add": partial(_arithmetic, "Add"),
    "Subtract": partial(_arithmetic, "Sub"),
    "Multiply": partial(_arithmetic, "Mul"),
    **dict.fromkeys(("Divide", "TrueDivide"), partial(_arithmetic, "Div")),
    "GetItem": _get_item,
    "Stack": _stack,
}
