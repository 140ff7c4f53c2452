"""Keras → ONNX, by our own hand: the graph is walked once and each layer written by its row in `layers`.

Own, because it gives what a converter does not: two outputs, names that mean something, a dynamic batch called "batch", pixels
that int8 can read without a loss, and a refusal, rather than a loop of a hundred small nodes, for a layer that is not in the table.
"""

from __future__ import annotations

from typing import Any

import onnx

from training.errors import ExportError
from training.onnx.graph import Graph, Tensor
from training.onnx.layers import EMITTERS
from training.onnx.values import Value, Writer

OPSET = 17
_IR_VERSION = 8  # the one that came with opset 17; newer ones shut out older runtimes for nothing
PROBABILITIES, EMBEDDING = "probabilities", "embedding"


def emit(model: Any, name: str = "image") -> onnx.ModelProto:
    """The ONNX model of a Keras model with one input (batch, …) float32 called `name`.

    Outputs: `probabilities`, what the model answers, and `embedding`, what goes into its last Dense layer; both as Keras orders them.
    Raises ExportError that names the layer that has no ONNX form here.
    """
    try:
        graph = Graph.of(model)
        embedded = graph.embedding.inputs[0]
    except ValueError as error:
        raise ExportError(f"this network cannot be exported: {error}") from error
    writer = Writer()
    values = _write(graph, writer, name)
    writer.scope = "out"
    outputs = [_output(writer, values, graph.output, PROBABILITIES), _output(writer, values, embedded, EMBEDDING)]
    taken = values[graph.input]
    inputs = [_info(name, taken)]
    made = onnx.helper.make_graph(writer.nodes, model.name, inputs, outputs, list(writer.constants.values()))
    proto = onnx.helper.make_model(
        made, producer_name="veleta", ir_version=_IR_VERSION, opset_imports=[onnx.helper.make_opsetid("", OPSET)]
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def _write(graph: Graph, writer: Writer, name: str) -> dict[Tensor, Value]:
    """Write every call; returns the value of each tensor."""
    values: dict[Tensor, Value] = {}
    for call in graph.calls:
        writer.scope = call.layer.name
        if call.kind == "InputLayer":
            values[call.output] = Value(name, call.shape)
        elif call.kind in EMITTERS:
            values[call.output] = EMITTERS[call.kind](writer, call.layer, call.shape, *(values[tensor] for tensor in call.inputs))
        else:
            raise ExportError(
                f"the layer {call.layer.name!r} is a {call.kind}, which has no ONNX form here; there are {', '.join(EMITTERS)}"
            )
    return values


def _output(writer: Writer, values: dict[Tensor, Value], tensor: Tensor, name: str) -> Any:
    """Make a tensor an output of the graph, by its name."""
    value = writer.plain(values[tensor])
    made = {output for node in writer.nodes for output in node.output}
    if value.name not in made or value.name in (PROBABILITIES, EMBEDDING):  # the input itself, or both outputs are one tensor
        value = Value(writer.node("Identity", value.name), value.shape)
    writer.rename(value.name, name)
    return _info(name, value)


def _info(name: str, value: Value) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *value.shape])
