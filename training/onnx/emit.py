"""Keras → ONNX, by our own hand: the graph is walked once and each layer written by its row in `layers`.

Own, because it gives what a converter does not: two outputs, names that mean something, a dynamic batch called "batch", pixels
that int8 can read without a loss, and a refusal, rather than a loop of a hundred small nodes, for a layer that is not in the table.
"""

from __future__ import annotations

from typing import Any

import onnx

from training.errors import ExportError
from training.onnx.graph import Call, Graph, Tensor, replaced
from training.onnx.layers import EMITTERS
from training.onnx.names import EMBEDDING, PROBABILITIES, VALUE
from training.onnx.operations import OPERATIONS
from training.onnx.values import Value, Writer

OPSET = 17
_IR_VERSION = 8  # the one that came with opset 17; newer ones shut out older runtimes for nothing
#: Types of an input, by Keras' name. Whole numbers are turned to float32 at once, which holds them up to 2²⁴.
_TYPES: dict[str, int] = {"float32": onnx.TensorProto.FLOAT, "int32": onnx.TensorProto.INT32, "int64": onnx.TensorProto.INT64}
#: Layers that take tensors beside their first argument.
_TAKEN = {"MultiHeadAttention": ("query", "value", "key")}


def emit(model: Any) -> onnx.ModelProto:
    """The ONNX model of a Keras model with one input, which keeps its name.

    Outputs: what the model answers, `probabilities` (batch, classes) or `value` (batch, 1), and `embedding`, what goes into its last
    Dense layer; both as Keras orders them. Raises ExportError that names the layer that has no ONNX form here.
    """
    try:
        graph = Graph.of(model)
    except ValueError as error:
        raise ExportError(f"this network cannot be exported: {error}") from error
    _check_masks(graph)
    writer = Writer()
    values = _write(graph, writer)
    writer.scope = "out"
    answered = VALUE if graph.answers_values else PROBABILITIES
    outputs = [_output(writer, values, graph.output, answered), _output(writer, values, graph.embedding, EMBEDDING)]
    inputs = [_info(graph.calls[0].name, graph.calls[0].shape, _type(graph.calls[0]))]
    made = onnx.helper.make_graph(writer.nodes, model.name, inputs, outputs, list(writer.constants.values()))
    proto = onnx.helper.make_model(
        made, producer_name="veleta", ir_version=_IR_VERSION, opset_imports=[onnx.helper.make_opsetid("", OPSET)]
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _write(graph: Graph, writer: Writer) -> dict[Tensor, Value]:
    """Write every call; returns the value of each tensor."""
    values: dict[Tensor, Value] = {graph.input: _taken(writer, graph.calls[0])}
    for call in graph.calls[1:]:
        writer.scope = call.name
        emitters, what = (EMITTERS, "layer") if call.is_layer else (OPERATIONS, "operation")
        if call.kind not in emitters:
            raise ExportError(f"the {what} {call.name!r} is a {call.kind}, which has no ONNX form here; there are {', '.join(emitters)}")
        if call.is_layer:
            _check_arguments(call)
            operands = [values[tensor] for tensor in call.inputs]
        else:
            operands = [replaced(argument, values.__getitem__) for argument in call.arguments.values()]
        values[call.output] = emitters[call.kind](writer, call.layer, call.shape, *operands)
    return values


def _taken(writer: Writer, call: Call) -> Value:
    """The input, as float32. Raises ExportError for a name that an output has."""
    if call.name in (PROBABILITIES, VALUE, EMBEDDING):
        raise ExportError(f"the input is called {call.name!r}, as an output of the exported graph is; give it another name")
    writer.scope = call.name
    whole = _type(call) != onnx.TensorProto.FLOAT
    return Value(writer.node("Cast", call.name, to=onnx.TensorProto.FLOAT) if whole else call.name, call.shape)


def _type(call: Call) -> int:
    if call.layer.dtype not in _TYPES:
        raise ExportError(f"the input {call.name!r} is {call.layer.dtype}, expected {', '.join(_TYPES)}")
    return _TYPES[call.layer.dtype]


def _check_masks(graph: Graph) -> None:
    """Raise ExportError for padding that is skipped. Keras skips it wherever it stands, ONNX only at the end of a sequence, and what a
    client sends cannot be known here.
    """
    for call in graph.calls:
        if call.kind == "Masking" or getattr(call.layer, "mask_zero", False):
            raise ExportError(
                f"the layer {call.name!r} masks padding, which cannot be exported; leave the mask away, and the network learns what "
                "padding means"
            )


def _check_arguments(call: Call) -> None:
    """Raise ExportError if a layer is called with more than what its emitter looks at, as a mask or a first state."""
    known = _TAKEN.get(call.kind, tuple(call.arguments)[:1])
    for name, value in call.arguments.items():
        if name not in known and value is not None and value is not False:
            raise ExportError(f"the layer {call.name!r} is called with {name}, which cannot be exported; call it without")


def _output(writer: Writer, values: dict[Tensor, Value], tensor: Tensor, name: str) -> Any:
    """Make a tensor an output of the graph, by its name."""
    value = writer.plain(values[tensor])
    made = {output for node in writer.nodes for output in node.output}
    if value.name not in made or value.name in (PROBABILITIES, VALUE):  # the input itself, or both outputs are one tensor
        value = Value(writer.node("Identity", value.name), value.shape)
    writer.rename(value.name, name)
    values[tensor] = Value(name, value.shape)
    return _info(name, value.shape, onnx.TensorProto.FLOAT)


def _info(name: str, shape: Any, kind: int) -> Any:
    return onnx.helper.make_tensor_value_info(name, kind, ["batch", *shape])
