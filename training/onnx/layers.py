"""How each Keras layer is written as ONNX: one function a layer, one table. A new layer is a new row.

An emitter takes the writer, the Keras layer, the shape that Keras gives its output (without the batch) and the incoming values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from training.errors import ExportError
from training.onnx.activating import activation, elu, leaky_relu, prelu, relu, softmax
from training.onnx.activations import activated
from training.onnx.attention import einsum_dense, embedding, multi_head_attention
from training.onnx.graph import TRAIN_ONLY
from training.onnx.merging import add, add_scaled, average, concatenate, maximum, minimum, multiply, subtract
from training.onnx.normalizing import (
    batch_normalization,
    group_normalization,
    layer_normalization,
    layer_scale,
    normalization,
    rescaling,
    unit_normalization,
)
from training.onnx.recurrent import bidirectional, recurrent
from training.onnx.shapes import cropping, flatten, permute, repeat_vector, reshape, zero_padding
from training.onnx.values import Layout, Shape, Value, Writer, as_float32, known
from training.onnx.windows import (
    average_pooling,
    convolution,
    depthwise_convolution,
    global_average_pooling,
    global_max_pooling,
    max_pooling,
    separable_convolution,
)

Emitter = Callable[..., Value]


def nothing(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Layers that only act while training."""
    return value


def dense(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """x · W + b on the last axis."""
    value = value if len(value.shape) == 1 else writer.features_last(value)
    kernel = as_float32(layer.kernel) * np.float32(value.scale)
    if value.layout is Layout.FLATTENED:
        rows = np.arange(len(kernel)).reshape(known(value.image, writer.scope))
        kernel = kernel[np.moveaxis(rows, -1, 0).ravel()]
    bias = as_float32(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
    if len(shape) == 1:
        name = writer.node("Gemm", value.name, writer.floats("kernel", kernel), writer.floats("bias", bias))
        return activated(writer, layer.activation, Value(name, shape))
    name = writer.node("Add", writer.node("MatMul", value.name, writer.floats("kernel", kernel)), writer.floats("bias", bias))
    return activated(writer, layer.activation, Value(name, shape, value.layout))


def time_distributed(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """A layer at each time by itself: the times become rows of the batch, unless it is a Dense, which minds only the last axis."""
    inner = layer.layer
    emitter = EMITTERS.get(type(inner).__name__)
    if emitter is None:
        raise ExportError(f"{layer.name} has a {type(inner).__name__} inside, which has no ONNX form here")
    if emitter is dense:
        return dense(writer, inner, shape, value)
    value = writer.keras(value)
    rows = Value(writer.reshape(value.name, -1, *known(value.shape[1:], layer.name)), value.shape[1:], scale=value.scale)
    each = writer.plain(emitter(writer, inner, shape[1:], rows))
    return Value(writer.reshape(each.name, -1, *known(shape, layer.name)), shape)


EMITTERS: dict[str, Emitter] = {
    "Rescaling": rescaling,
    "Normalization": normalization,
    **dict.fromkeys(("Conv1D", "Conv2D"), convolution),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), depthwise_convolution),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), separable_convolution),
    "Dense": dense,
    "EinsumDense": einsum_dense,
    "Embedding": embedding,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), recurrent),
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
    "MultiHeadAttention": multi_head_attention,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "GroupNormalization": group_normalization,
    "UnitNormalization": unit_normalization,
    "LayerScale": layer_scale,
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D"), max_pooling),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D"), average_pooling),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), global_max_pooling),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), global_average_pooling),
    "Flatten": flatten,
    "Reshape": reshape,
    "Permute": permute,
    "RepeatVector": repeat_vector,
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), zero_padding),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), cropping),
    "Add": add,
    "CustomScaleLayer": add_scaled,
    "Subtract": subtract,
    "Multiply": multiply,
    "Average": average,
    "Maximum": maximum,
    "Minimum": minimum,
    "Concatenate": concatenate,
    "Activation": activation,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "PReLU": prelu,
    "ELU": elu,
    "Softmax": softmax,
    **dict.fromkeys(TRAIN_ONLY, nothing),
}
