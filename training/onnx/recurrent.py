"""Recurrent layers as the LSTM, GRU and RNN operators of ONNX, never as a loop of small nodes. See `layers` for the table.

The formulas are those of https://onnx.ai/onnx/operators/onnx__LSTM.html and its neighbours. What differs from Keras is the order of the
gates, the time before the batch, and weights that are turned, with an axis for the direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import ExportError
from training.onnx.values import Layout, Shape, Value, Writer, as_float32

#: The operator, and ONNX' order of the gates among Keras': i f c o → i o f c, z r h.
_OPERATORS = {"LSTM": ("LSTM", (0, 3, 1, 2)), "GRU": ("GRU", (0, 1, 2)), "SimpleRNN": ("RNN", (0,))}
#: ONNX' name of an activation with its α and β, where it has them.
_ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "elu": ("Elu", 1.0, None),
    "leaky_relu": ("LeakyRelu", 0.2, None),
    "linear": ("Affine", 1.0, 0.0),
}
_MERGES = {"sum": "Add", "ave": "Add", "mul": "Mul"}


def recurrent(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """LSTM, GRU or SimpleRNN. Keras gives a sequence that was read backwards in the order in which it was read."""
    name = _direction(writer, layer, value)
    if not layer.return_sequences:
        return Value(name, shape)
    if layer.go_backwards:
        last = writer.ints("ends", np.iinfo(np.int64).min)
        name = writer.node("Slice", name, writer.ints("starts", -1), last, writer.ints("axes", 0), writer.ints("steps", -1))
    return Value(name, shape, Layout.TIME_FIRST)


def bidirectional(writer: Writer, layer: Any, shape: Shape, value: Value) -> Value:
    """One reading in each direction, merged place by place; ONNX leaves both in the order of the sequence, as Keras does here."""
    forward, backward = layer.forward_layer, layer.backward_layer
    if forward.go_backwards or not backward.go_backwards:
        raise ExportError(f"{layer.name} reads backwards first, which cannot be exported; give its layer go_backwards = false")
    if layer.merge_mode != "concat" and layer.merge_mode not in _MERGES:
        raise ExportError(f"{layer.name} has the merge_mode {layer.merge_mode!r}; concat, sum, ave and mul can be exported")
    value = writer.time_first(value)
    read = [_direction(writer, each, value) for each in (forward, backward)]
    if layer.merge_mode == "concat":
        name = writer.node("Concat", *read, axis=-1)
    else:
        name = writer.node(_MERGES[layer.merge_mode], *read)
    layout = Layout.TIME_FIRST if forward.return_sequences else Layout.KERAS
    return Value(name, shape, layout, scale=0.5 if layer.merge_mode == "ave" else 1.0)


def _direction(writer: Writer, layer: Any, value: Value) -> str:
    """One reading of the sequence: (time, batch, units), or (batch, units) of its end."""
    kind = type(layer).__name__
    if kind not in _OPERATORS:
        raise ExportError(f"{layer.name} is a {kind}, which has no ONNX form here; there are {', '.join(_OPERATORS)}")
    if layer.stateful or layer.return_state:
        raise ExportError(f"{layer.name} keeps or returns its state, but every row that is served stands alone; leave that away")
    operator, order = _OPERATORS[kind]
    attributes = _activations(layer, kind) | ({"linear_before_reset": int(layer.reset_after)} if kind == "GRU" else {})
    direction = "reverse" if layer.go_backwards else "forward"
    output = 0 if layer.return_sequences else 1  # all of it, or its end
    read = writer.node(
        operator,
        writer.time_first(value).name,
        *_weights(writer, layer, order, value.scale),
        output=output,
        hidden_size=layer.units,
        direction=direction,
        **attributes,
    )
    return writer.node("Squeeze", read, writer.ints("axes", 1 - output))


def _weights(writer: Writer, layer: Any, order: tuple[int, ...], scale: float) -> list[str]:
    """W (1, gates · units, in), R (1, gates · units, units) and, if there is one, B (1, 2 · gates · units): for the input, then the state."""

    def ordered(array: NDArray[Any]) -> NDArray[Any]:
        gates = np.split(array, len(order), axis=-1)
        return np.concatenate([gates[place] for place in order], axis=-1)

    cell = layer.cell
    named = {"kernel": ordered(as_float32(cell.kernel) * np.float32(scale)).T, "recurrent": ordered(as_float32(cell.recurrent_kernel)).T}
    if layer.use_bias:
        bias = as_float32(cell.bias)
        both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])  # a GRU with reset_after has two
        named["bias"] = ordered(both).ravel()
    return [writer.floats(kind, array[None]) for kind, array in named.items()]


def _activations(layer: Any, kind: str) -> dict[str, Any]:
    """For the gates, then for what passes through them; an LSTM also has one for what comes out."""
    wanted = {"LSTM": (layer.activation,) * 2, "GRU": (layer.activation,), "SimpleRNN": (layer.activation,)}[kind]
    gates = () if kind == "SimpleRNN" else (layer.recurrent_activation,)
    names = [getattr(activation, "__name__", type(activation).__name__) for activation in (*gates, *wanted)]
    for name in names:
        if name not in _ACTIVATIONS:
            raise ExportError(f"{layer.name} has the activation {name!r}; in a recurrent layer there are {', '.join(_ACTIVATIONS)}")
    chosen = [_ACTIVATIONS[name] for name in names]
    attributes: dict[str, Any] = {"activations": [name for name, _, _ in chosen]}
    for key, numbers in (("activation_alpha", [a for _, a, _ in chosen]), ("activation_beta", [b for _, _, b in chosen])):
        if given := [number for number in numbers if number is not None]:
            attributes[key] = given
    return attributes
