"""How each Keras layer is written as ONNX: one function a layer, one table. A new layer is a new row.

An emitter takes the writer, the Keras layer, the shape that Keras gives its output (without the batch) and the incoming values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import ExportError
from training.onnx.activations import activated, clip
from training.onnx.graph import TRAIN_ONLY
from training.onnx.values import Layout, Shape, Value, Writer, as_float32, known
from training.onnx.windows import (
    average_pooling2d,
    channels_last,
    conv2d,
    depthwise_conv2d,
    global_average_pooling2d,
    max_pooling2d,
)

Emitter = Callable[..., Value]


def nothing(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Layers that only act while training."""
    return value


def rescaling(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """x · scale + offset. A plain factor waits for the next kernel, so that int8 reads the pixels as they come, without a loss."""
    if np.ndim(layer.scale) == 0 and np.all(np.asarray(layer.offset) == 0):
        return dataclasses.replace(value, scale=value.scale * float(layer.scale))
    return _affine(writer, value, np.asarray(layer.scale), np.asarray(layer.offset))


def normalization(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """(x − mean) / σ, per channel."""
    if layer.axis not in ((-1,), (len(shape),), ()):
        raise ExportError(f"{layer.name} normalizes the axis {layer.axis}; only the last one can be exported")
    deviation = np.maximum(np.sqrt(as_float32(layer.variance)), np.float32(1e-7))  # as Keras: keras.backend.epsilon()
    return _affine(writer, value, 1 / deviation.ravel(), -(as_float32(layer.mean) / deviation).ravel())


def batch_normalization(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """γ (x − μ) / √(σ² + ε) + β with the moving μ and σ²; ONNX Runtime melts it into the convolution before it."""
    if layer.axis not in (-1, len(shape)):
        raise ExportError(f"{layer.name} normalizes the axis {layer.axis}; only the last one can be exported")
    factor = 1 / np.sqrt(as_float32(layer.moving_variance) + np.float32(layer.epsilon))
    if layer.scale:
        factor = factor * as_float32(layer.gamma)
    shift = -as_float32(layer.moving_mean) * factor
    return _affine(writer, value, factor, shift + as_float32(layer.beta) if layer.center else shift)


def _affine(writer: Writer, value: Value, factor: NDArray[Any], shift: NDArray[Any]) -> Value:
    """x · factor + shift, one number for each channel or for all."""
    value = writer.plain(value) if value.layout is Layout.FLATTENED else writer.scaled(value)
    if value.layout is Layout.CHANNELS_FIRST:
        factor, shift = (array.reshape(-1, 1, 1) for array in (factor, shift))
    product = writer.node("Mul", value.name, writer.floats("factor", factor))
    return dataclasses.replace(value, name=writer.node("Add", product, writer.floats("shift", shift)))


def flatten(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """An image is flattened as it lies; the next Dense permutes its rows instead."""
    channels_last(layer)
    if value.layout is Layout.CHANNELS_FIRST:
        return Value(writer.node("Flatten", value.name, axis=1), shape, Layout.FLATTENED, value.shape, value.scale)
    return dataclasses.replace(value, name=writer.node("Flatten", value.name, axis=1), shape=shape)


def dense(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """x · W + b on the last axis."""
    value = value if len(value.shape) == 1 else writer.plain(value)
    kernel = as_float32(layer.kernel) * np.float32(value.scale)
    if value.layout is Layout.FLATTENED:
        rows = np.arange(len(kernel)).reshape(known(value.image, writer.scope)).transpose(2, 0, 1)
        kernel = kernel[rows.ravel()]
    bias = as_float32(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
    if len(shape) == 1:
        name = writer.node("Gemm", value.name, writer.floats("kernel", kernel), writer.floats("bias", bias))
    else:
        name = writer.node("Add", writer.node("MatMul", value.name, writer.floats("kernel", kernel)), writer.floats("bias", bias))
    return activated(writer, layer.activation, Value(name, shape))


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


def add(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    """The sum of tensors of one shape."""
    if any(value.shape != shape for value in values):
        raise ExportError(f"{layer.name} adds tensors of different shapes, which cannot be exported; give them the same")
    alike = [writer.scaled(value) for value in values]
    if len({value.layout for value in alike}) > 1:
        alike = [writer.plain(value) for value in alike]
    total = alike[0]
    for value in alike[1:]:
        total = dataclasses.replace(total, name=writer.node("Add", total.name, value.name))
    return total


def reshape(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """To another shape, in Keras' order."""
    sizes = [-1 if size is None else size for size in shape]
    return Value(writer.reshape(writer.plain(value).name, 0, *sizes), shape)


EMITTERS: dict[str, Emitter] = {
    "Rescaling": rescaling,
    "Normalization": normalization,
    "Conv2D": conv2d,
    "DepthwiseConv2D": depthwise_conv2d,
    "Dense": dense,
    "BatchNormalization": batch_normalization,
    "MaxPooling2D": max_pooling2d,
    "AveragePooling2D": average_pooling2d,
    "GlobalAveragePooling2D": global_average_pooling2d,
    "Flatten": flatten,
    "Reshape": reshape,
    "Add": add,
    "Activation": activation,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "Softmax": softmax,
    **dict.fromkeys(TRAIN_ONLY, nothing),
}
