"""Layers that slide a window over an image, as ONNX: convolutions and poolings. See `layers` for the table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import ExportError
from training.onnx.activations import activated
from training.onnx.values import Layout, Shape, Value, Writer, as_float32


def conv2d(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Kernel (height, width, in, out) → (out, in, height, width)."""
    return _convolution(writer, layer, shape, value, as_float32(layer.kernel).transpose(3, 2, 0, 1), layer.groups)


def depthwise_conv2d(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Kernel (height, width, in, multiplier) → (in · multiplier, 1, height, width), each input channel its own group."""
    height, width, channels, multiplier = layer.kernel.shape
    kernel = as_float32(layer.kernel).reshape(height, width, 1, channels * multiplier)
    return _convolution(writer, layer, shape, value, kernel.transpose(3, 2, 0, 1), channels)


def _convolution(writer: Writer, layer: Any, shape: Shape, value: Value, kernel: NDArray[Any], groups: int) -> Value:
    channels_last(layer)
    before = writer.channels_first(value)
    inputs = [before.name, writer.floats("kernel", kernel * np.float32(value.scale))]
    if layer.use_bias:
        inputs.append(writer.floats("bias", as_float32(layer.bias)))
    window = _window(layer, kernel.shape[2:], layer.strides, layer.dilation_rate, value.shape)
    name = writer.node("Conv", *inputs, dilations=list(layer.dilation_rate), group=groups, **window)
    return activated(writer, layer.activation, Value(name, shape, Layout.CHANNELS_FIRST))


def max_pooling2d(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    return _pooling(writer, "MaxPool", layer, shape, value)


def average_pooling2d(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """As in TensorFlow, padding does not count in the average."""
    return _pooling(writer, "AveragePool", layer, shape, value, count_include_pad=0)


def _pooling(writer: Writer, operator: str, layer: Any, shape: Shape, value: Value, **attributes: Any) -> Value:
    channels_last(layer)
    before = writer.channels_first(writer.scaled(value))
    window = _window(layer, layer.pool_size, layer.strides, (1, 1), value.shape)
    return Value(writer.node(operator, before.name, **window, **attributes), shape, Layout.CHANNELS_FIRST)


def _window(layer: Any, kernel: Any, strides: Any, dilation: Any, shape: Shape) -> dict[str, Any]:
    """The attributes of a sliding window. TensorFlow's "same" puts the odd row of padding at the end."""
    window: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(strides)}
    if layer.padding == "same":
        pairs = [_same(*sizes) for sizes in zip(shape[:2], kernel, strides, dilation, strict=True)]
        window["pads"] = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    elif layer.padding != "valid":
        raise ExportError(f"{layer.name} has the padding {layer.padding!r}; only 'same' and 'valid' can be exported")
    return window


def _same(size: int | None, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding before and after: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2

    >>> _same(28, 3, 2, 1)
    (0, 1)
    """
    if size is None:
        raise ExportError("padding 'same' needs an input of known size; give the network one")
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def global_average_pooling2d(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    channels_last(layer)
    pooled = writer.node("GlobalAveragePool", writer.channels_first(writer.scaled(value)).name)
    if layer.keepdims:
        return Value(pooled, shape, Layout.CHANNELS_FIRST)
    return Value(writer.reshape(pooled, 0, -1), shape)


def channels_last(layer: Any) -> None:
    """Raise ExportError for a layer that keeps its channels elsewhere than last."""
    if layer.data_format != "channels_last":
        raise ExportError(f"{layer.name} has the data format {layer.data_format!r}; only 'channels_last' can be exported")
