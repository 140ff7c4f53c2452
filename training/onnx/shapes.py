"""Layers that only move, repeat, pad or cut what they take, as ONNX. See `layers` for the table."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from training.onnx.values import Layout, Shape, Value, Writer
from training.onnx.windows import channels_last


def flatten(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """An image or sequence is flattened as it lies; the next Dense permutes its rows instead."""
    channels_last(layer)
    if value.layout is Layout.CHANNELS_FIRST:
        return Value(writer.node("Flatten", value.name, axis=1), shape, Layout.FLATTENED, value.shape, value.scale)
    if value.layout is Layout.FLATTENED:
        return value
    value = writer.keras(value)
    return dataclasses.replace(value, name=writer.node("Flatten", value.name, axis=1), shape=shape)


def reshape(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """To another shape, in Keras' order."""
    value = writer.keras(value)
    sizes = [-1 if size is None else size for size in shape]
    return dataclasses.replace(value, name=writer.reshape(value.name, 0, *sizes), shape=shape)


def permute(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Axes in another order, counted from 1."""
    value = writer.keras(value)
    return dataclasses.replace(value, name=writer.node("Transpose", value.name, perm=[0, *layer.dims]), shape=shape)


def repeat_vector(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """(features,) → (n, features)."""
    value = writer.keras(value)
    raised = writer.node("Unsqueeze", value.name, writer.ints("axes", 1))
    return dataclasses.replace(value, name=writer.node("Tile", raised, writer.ints("repeats", 1, layer.n, 1)), shape=shape)


def zero_padding(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Zeros around the places."""
    value = _placed(writer, layer, value)
    before, after = (_by_axis(value, sizes) for sizes in zip(*np.reshape(layer.padding, (-1, 2)).tolist(), strict=True))
    return dataclasses.replace(value, name=writer.node("Pad", value.name, writer.ints("pads", *before, *after)), shape=shape)


def cropping(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Cut off at both ends of the places."""
    value = _placed(writer, layer, value)
    pairs = np.reshape(layer.cropping, (-1, 2)).tolist()
    first = 2 if value.layout is Layout.CHANNELS_FIRST else 1
    starts, ends = [before for before, _ in pairs], [-after if after else np.iinfo(np.int64).max for _, after in pairs]
    axes = range(first, first + len(pairs))
    name = writer.node("Slice", value.name, writer.ints("starts", *starts), writer.ints("ends", *ends), writer.ints("axes", *axes))
    return dataclasses.replace(value, name=name, shape=shape)


def _placed(writer: Writer, layer: Any, value: Value) -> Value:
    """With the batch first, whichever way the channels lie."""
    if len(value.shape) == 3:
        channels_last(layer)
    return value if value.layout is Layout.CHANNELS_FIRST else writer.keras(value)


def _by_axis(value: Value, places: Any) -> list[int]:
    """A number for each axis: 0 for batch and channels."""
    return [0, 0, *places] if value.layout is Layout.CHANNELS_FIRST else [0, *places, 0]
