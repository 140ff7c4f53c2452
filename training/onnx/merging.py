"""Layers that make one tensor of several, as ONNX. See `layers` for the table."""

from __future__ import annotations

import dataclasses
from typing import Any

from training.errors import ExportError
from training.onnx.values import Layout, Shape, Value, Writer


def add(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    return pairwise(writer, "Add", layer, shape, values)


def add_scaled(writer: Writer, layer: Any, shape: Shape, first: Value, second: Value) -> Value:
    """a + b · scale, which Keras' Inception-ResNet has."""
    return pairwise(writer, "Add", layer, shape, (first, dataclasses.replace(second, scale=second.scale * float(layer.scale))))


def subtract(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    return pairwise(writer, "Sub", layer, shape, values)


def multiply(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    return pairwise(writer, "Mul", layer, shape, values)


def average(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    """The sum, with its division waiting for the next kernel."""
    total = pairwise(writer, "Add", layer, shape, values)
    return dataclasses.replace(total, scale=1 / len(values))


def maximum(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    return pairwise(writer, "Max", layer, shape, values)


def minimum(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    return pairwise(writer, "Min", layer, shape, values)


def pairwise(writer: Writer, operator: str, layer: Any, shape: Shape, values: tuple[Value, ...]) -> Value:
    """Element by element. Axes of size 1 are stretched, which holds in every layout if all have as many axes."""
    if any(len(value.shape) != len(shape) for value in values):
        raise ExportError(f"{layer.name} takes tensors with different numbers of axes, which cannot be exported; give them the same")
    first, *others = _alike(writer, values)
    name = first.name
    for value in others:
        name = writer.node(operator, name, value.name)
    return dataclasses.replace(first, name=name, shape=shape)


def concatenate(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    """One behind the other along an axis, as a rule that of the channels."""
    alike = _alike(writer, values)
    axis = layer.axis % (len(shape) + 1)
    if axis != len(shape) or alike[0].layout is Layout.FLATTENED:
        alike = [writer.plain(value) for value in alike]
    elif alike[0].layout is Layout.CHANNELS_FIRST:
        axis = 1
    return dataclasses.replace(alike[0], name=writer.node("Concat", *(value.name for value in alike), axis=axis), shape=shape)


def _alike(writer: Writer, values: tuple[Value, ...]) -> list[Value]:
    """In one layout, with nothing pending."""
    scaled = [writer.scaled(value) for value in values]
    return scaled if len({(value.layout, value.image) for value in scaled}) == 1 else [writer.plain(value) for value in scaled]
