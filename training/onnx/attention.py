"""Attention, and what goes into it, as ONNX. See `layers` for the table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from training.errors import ExportError
from training.onnx.activations import activated
from training.onnx.values import Shape, Value, Writer, as_float32


def multi_head_attention(writer: Writer, layer: Any, shape: Shape, *values: Value) -> Value:
    """softmax(Q Kᵀ / √k) V for each head, mixed by the last kernel (Vaswani et al. 2017, arXiv 1706.03762, section 3.2).

    Takes query and value (time, features), and the key if it is not the value.
    """
    config = layer.get_config()
    if config["use_gate"] or config["sliding_window"] or list(config["attention_axes"] or [1]) != [1] or len(shape) != 2:
        raise ExportError(f"{layer.name} attends in a way that cannot be exported; only plain attention along a sequence can be")
    query, value, key = (*values, values[1])[:3]
    # The divisor √k goes into the kernel, where it costs nothing.
    queries = _heads(writer, layer.query_dense, query, [0, 2, 1, 3], 1 / math.sqrt(config["key_dim"]))
    keys = _heads(writer, layer.key_dense, key, [0, 2, 3, 1])
    weights = writer.node("Softmax", writer.node("MatMul", queries, keys), axis=-1)
    mixed = writer.node("MatMul", weights, _heads(writer, layer.value_dense, value, [0, 2, 1, 3]))
    joined = writer.reshape(writer.node("Transpose", mixed, perm=[0, 2, 1, 3]), 0, -1, config["num_heads"] * config["value_dim"])
    kernel = as_float32(layer.output_dense.kernel)  # (heads, value, features)
    name = _product(writer, joined, kernel.reshape(-1, kernel.shape[-1]), layer.output_dense.bias)
    return Value(name, shape)


def _heads(writer: Writer, dense: Any, value: Value, perm: list[int], factor: float = 1.0) -> str:
    """(batch, time, features) · (features, heads, size) + (heads, size), with its axes in the order of `perm`."""
    kernel = as_float32(dense.kernel) * np.float32(factor)
    heads, size = kernel.shape[1:]
    bias = None if dense.bias is None else as_float32(dense.bias).ravel() * np.float32(factor)
    scaled = kernel.reshape(len(kernel), -1) * np.float32(value.scale)
    product = _product(writer, writer.keras(value).name, scaled, bias)
    return writer.node("Transpose", writer.reshape(product, 0, -1, heads, size), perm=perm)


def einsum_dense(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """Σ x · W by an equation. One over the last axis alone is a plain product, the only form that int8 knows."""
    value = writer.keras(value)
    kernel = as_float32(layer.kernel) * np.float32(value.scale)
    terms, result = layer.equation.replace(" ", "").split("->")
    taken, weights = terms.split(",")
    if len(weights) == 2 and weights[0] == taken[-1] and result == taken[:-1] + weights[1]:
        name = _product(writer, value.name, kernel, layer.bias)
    else:
        name = writer.node("Einsum", value.name, writer.floats("kernel", kernel), equation=f"{taken},{weights}->{result}")
        name = name if layer.bias is None else writer.node("Add", name, writer.floats("bias", as_float32(layer.bias)))
    return activated(writer, layer.activation, Value(name, shape))


def _product(writer: Writer, name: str, kernel: Any, bias: Any) -> str:
    """x · W + b over the last axis, the bias in a shape that meets what comes out."""
    product = writer.node("MatMul", name, writer.floats("kernel", kernel))
    return product if bias is None else writer.node("Add", product, writer.floats("bias", as_float32(bias)))


def embedding(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """The row of the table at each whole number, which Keras, too, gets by cutting off what is behind the point."""
    if layer.mask_zero:
        raise ExportError(
            f"{layer.name} has mask_zero, which cannot be exported: ONNX knows padding only at the end of a sequence, Keras anywhere; "
            "leave it away, and the network learns what the number for padding means"
        )
    numbers = writer.node("Cast", writer.plain(value).name, to=6)  # int32
    return Value(writer.node("Gather", writer.floats("table", as_float32(layer.embeddings)), numbers, axis=0), shape)
