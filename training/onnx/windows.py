"""Layers that slide a window over an image or along a sequence, as ONNX: convolutions and poolings. See `layers` for the table.

An image has two places, height and width, a sequence one, its time; everything here holds for both.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import ExportError
from training.onnx.activations import activated
from training.onnx.values import Layout, Shape, Value, Writer, as_float32

#: Added to a product of float32 it changes nothing.
_ALMOST_0 = 1e-30


def convolution(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Kernel (places…, in, out) → (out, in, places…)."""
    return activated(writer, layer.activation, _convolution(writer, layer, shape, value, as_float32(layer.kernel), layer.groups))


def depthwise_convolution(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Kernel (places…, in, multiplier): each input channel is its own group."""
    return activated(writer, layer.activation, _depthwise(writer, layer, shape, value, as_float32(layer.kernel), layer.use_bias))


def separable_convolution(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Depthwise (places…, in, multiplier) without a bias, then 1 × 1 (1…, in · multiplier, out) with one."""
    each = _depthwise(writer, layer, shape, value, as_float32(layer.depthwise_kernel), False)
    name = writer.node("Conv", each.name, *_weights(writer, layer, as_float32(layer.pointwise_kernel), layer.use_bias))
    return activated(writer, layer.activation, Value(name, shape, Layout.CHANNELS_FIRST))


def _depthwise(writer: Writer, layer: Any, shape: Shape, value: Value, kernel: NDArray[Any], use_bias: bool) -> Value:
    *places, channels, multiplier = kernel.shape
    return _convolution(writer, layer, shape, value, kernel.reshape(*places, 1, channels * multiplier), channels, use_bias)


def _convolution(
    writer: Writer, layer: Any, shape: Shape, value: Value, kernel: NDArray[Any], groups: int, use_bias: bool | None = None
) -> Value:
    channels_last(layer)
    before = writer.channels_first(value)
    weights = _weights(writer, layer, kernel * np.float32(value.scale), layer.use_bias if use_bias is None else use_bias)
    window = _window(layer, kernel.shape[:-2], layer.strides, layer.dilation_rate, value.shape)
    name = writer.node("Conv", before.name, *weights, dilations=list(layer.dilation_rate), group=groups, **window)
    return Value(name, shape, Layout.CHANNELS_FIRST)


def _weights(writer: Writer, layer: Any, kernel: NDArray[Any], use_bias: bool) -> list[str]:
    turned = kernel.transpose(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2))
    return [writer.floats("kernel", turned), *([writer.floats("bias", as_float32(layer.bias))] if use_bias else [])]


def max_pooling(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """ONNX Runtime melts zeros around its input into it and forgets them there, so that nothing is 0 at the edge of what is below 0: seen
    in 1.31, in ResNet50V2. It leaves a number alone that is all but 0.
    """
    for node in writer.nodes:
        if node.op_type == "Pad" and value.name in node.output and len(node.input) == 2:
            node.input.append(writer.floats("almost_0", _ALMOST_0))
    return _pooling(writer, "MaxPool", layer, shape, value)


def average_pooling(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """As in TensorFlow, padding does not count in the average."""
    return _pooling(writer, "AveragePool", layer, shape, value, count_include_pad=0)


def _pooling(writer: Writer, operator: str, layer: Any, shape: Shape, value: Value, **attributes: Any) -> Value:
    channels_last(layer)
    before = writer.channels_first(writer.scaled(value))
    window = _window(layer, layer.pool_size, layer.strides, [1] * len(layer.pool_size), value.shape)
    return Value(writer.node(operator, before.name, **window, **attributes), shape, Layout.CHANNELS_FIRST)


def _window(layer: Any, kernel: Any, strides: Any, dilation: Any, shape: Shape) -> dict[str, Any]:
    """The attributes of a sliding window. TensorFlow's "same" puts the odd row of padding at the end, "causal" all of it before."""
    window: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(strides)}
    if layer.padding == "same":
        pairs = [_same(*sizes) for sizes in zip(shape[:-1], kernel, strides, dilation, strict=True)]
        window["pads"] = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    elif layer.padding == "causal":
        window["pads"] = [(kernel[0] - 1) * dilation[0], 0]
    elif layer.padding != "valid":
        raise ExportError(f"{layer.name} has the padding {layer.padding!r}; only 'same', 'valid' and 'causal' can be exported")
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


def global_average_pooling(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    return _global_pooling(writer, "GlobalAveragePool", "ReduceMean", layer, shape, value)


def global_max_pooling(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    return _global_pooling(writer, "GlobalMaxPool", "ReduceMax", layer, shape, value)


def _global_pooling(writer: Writer, pool: str, reduction: str, layer: Any, shape: Shape, value: Value) -> Value:
    """ONNX pools only with the channels first; with the channels last a reduction does the same and nothing has to be moved."""
    channels_last(layer)
    value = writer.scaled(value)
    if value.layout is Layout.CHANNELS_FIRST:
        pooled = writer.node(pool, value.name)
        if layer.keepdims:
            return dataclasses.replace(value, name=pooled, shape=shape)
        return Value(writer.reshape(pooled, 0, -1), shape)
    axes = [0] if value.layout is Layout.TIME_FIRST else list(range(1, len(value.shape)))
    reduced = writer.node(reduction, value.name, axes=axes, keepdims=int(layer.keepdims))
    return dataclasses.replace(value, name=reduced, shape=shape, layout=value.layout if layer.keepdims else Layout.KERAS)


def channels_last(layer: Any) -> None:
    """Raise ExportError for a layer that keeps its channels elsewhere than last."""
    if layer.data_format != "channels_last":
        raise ExportError(f"{layer.name} has the data format {layer.data_format!r}; only 'channels_last' can be exported")
