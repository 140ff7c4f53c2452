"""Layers that are an activation and nothing else, as ONNX. See `layers` for the table and `activations` for the functions."""

from __future__ import annotations

import dataclasses
from typing import Any

from training.errors import ExportError
from training.onnx.activations import activated, clip
from training.onnx.values import Layout, Shape, Value, Writer, as_float32


def activation(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    return activated(writer, layer.activation, value)


def softmax(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    if layer.axis not in (-1, len(shape)):
        raise ExportError(f"{layer.name} is a softmax over the axis {layer.axis}; only the last one can be exported")
    return activated(writer, "softmax", value)


def relu(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """max(x, 0), with a slope below 0 and a ceiling if the layer has them."""
    if layer.threshold:
        raise ExportError(f"{layer.name} has the threshold {layer.threshold}; only 0 can be exported")
    value = _leaky(writer, float(layer.negative_slope), writer.scaled(value))
    if layer.max_value is None:
        return value
    return dataclasses.replace(value, name=clip(writer, value, -3.4e38, float(layer.max_value)))


def leaky_relu(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    return _leaky(writer, float(layer.negative_slope), writer.scaled(value))


def _leaky(writer: Writer, slope: float, value: Value) -> Value:
    name = writer.node("LeakyRelu", value.name, alpha=slope) if slope else writer.node("Relu", value.name)
    return dataclasses.replace(value, name=name)


def elu(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    value = writer.scaled(value)
    return dataclasses.replace(value, name=writer.node("Elu", value.name, alpha=float(layer.alpha)))


def prelu(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """A learned slope below 0 for each element, or for all that share it."""
    value = writer.scaled(value)
    slope = as_float32(layer.alpha)
    if value.layout is Layout.CHANNELS_FIRST:
        slope = slope.transpose(slope.ndim - 1, *range(slope.ndim - 1))
    else:
        value = writer.keras(value)
    return dataclasses.replace(value, name=writer.node("PRelu", value.name, writer.floats("slope", slope)))
