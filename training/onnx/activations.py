"""Activation functions of Keras as ONNX nodes, by the name that Keras gives them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from training.errors import ExportError
from training.onnx.values import Layout, Value, Writer

Activation = Callable[[Writer, Value], str]


def _operator(name: str, **attributes: Any) -> Activation:
    return lambda writer, value: writer.node(name, value.name, **attributes)


def _softmax(writer: Writer, value: Value) -> str:
    """Over the channels, wherever they are."""
    return writer.node("Softmax", value.name, axis=1 if value.layout is Layout.CHANNELS_FIRST else -1)


def _relu6(writer: Writer, value: Value) -> str:
    return clip(writer, value, 0.0, 6.0)


def clip(writer: Writer, value: Value, lowest: float, highest: float) -> str:
    return writer.node("Clip", value.name, writer.floats("lowest", lowest), writer.floats("highest", highest))


def _silu(writer: Writer, value: Value) -> str:
    return writer.node("Mul", value.name, writer.node("Sigmoid", value.name))


def _hard_silu(writer: Writer, value: Value) -> str:
    return writer.node("HardSwish", value.name)


def _mish(writer: Writer, value: Value) -> str:
    """x tanh(softplus(x)); ONNX has it only from opset 18."""
    return writer.node("Mul", value.name, writer.node("Tanh", writer.node("Softplus", value.name)))


def _hard_tanh(writer: Writer, value: Value) -> str:
    return clip(writer, value, -1.0, 1.0)


def _gelu(writer: Writer, value: Value) -> str:
    """x Φ(x), Φ(x) = ½ (1 + erf(x / √2)) (Hendrycks & Gimpel 2016, arXiv 1606.08415, section 2); ONNX has it only from opset 20."""
    erf = writer.node("Erf", writer.node("Mul", value.name, writer.floats("inverse_root_2", 1 / math.sqrt(2))))
    twice = writer.node("Add", erf, writer.floats("one", 1.0))
    return writer.node("Mul", value.name, writer.node("Mul", twice, writer.floats("half", 0.5)))


ACTIVATIONS: dict[str, Activation] = {
    "linear": lambda writer, value: value.name,
    "relu": _operator("Relu"),
    "relu6": _relu6,
    "leaky_relu": _operator("LeakyRelu", alpha=0.2),  # Keras' default slope
    "elu": _operator("Elu", alpha=1.0),
    "celu": _operator("Celu", alpha=1.0),
    "selu": _operator("Selu"),
    "sigmoid": _operator("Sigmoid"),
    "hard_sigmoid": _operator("HardSigmoid", alpha=1 / 6, beta=0.5),
    "tanh": _operator("Tanh"),
    "hard_tanh": _hard_tanh,
    "softplus": _operator("Softplus"),
    "softsign": _operator("Softsign"),
    "exponential": _operator("Exp"),
    "silu": _silu,
    "hard_silu": _hard_silu,
    "mish": _mish,
    "gelu": _gelu,
    "softmax": _softmax,
}


def activated(writer: Writer, activation: Any, value: Value) -> Value:
    """The value after a Keras activation function, or one by its name. Raises ExportError for one that is not in the table."""
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", type(activation).__name__)
    if name not in ACTIVATIONS:
        raise ExportError(f"{writer.scope} has the activation {name!r}, which has no ONNX form here; there are {', '.join(ACTIVATIONS)}")
    value = writer.scaled(value) if value.layout is not Layout.FLATTENED else writer.plain(value)
    return dataclasses.replace(value, name=ACTIVATIONS[name](writer, value))
