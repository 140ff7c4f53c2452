"""Which nodes of a graph stay float in its int8 form, because eight bits would cost more than they give.

int8 pays in the large products with a kernel. What moves or compares its results on the way to the next one may be int8 too, so that a
network of convolutions is int8 from end to end. The rest stays float: 256 steps are few for it, or turning it into int8 and back
takes longer than it does.
"""

from __future__ import annotations

from typing import Any

#: Softmax: confidence is watched, and inside attention most weights are far below the 1/255 that is the first step above 0.
#: Normalizations: they divide by a deviation that is read from the row itself, which is small where a row is flat.
#: Gather: rows of an embedding table, whose columns differ in size; there is no product in it.
#: Sigmoid, Mul and what else is not in this list but smooth: gates, scales and shifts of columns that differ in size by far.
_FLOAT = {"Softmax", "LayerNormalization", "InstanceNormalization", "Gather", "Sigmoid", "Mul"}


def floating(graph: Any) -> list[str]:
    """The names of the nodes of an ONNX graph that stay float."""
    constants = {constant.name for constant in graph.initializer}
    makers = {output: node.op_type for node in graph.node for output in node.output}
    return [node.name for node in graph.node if _stays_float(node, constants, makers)]


def _stays_float(node: Any, constants: set[str], makers: dict[str, str]) -> bool:
    if node.op_type == "MatMul":  # in attention both sides are activations; the scores go into an exponential
        return not constants.intersection(node.input)
    if node.op_type == "Add":  # int8 where it joins the branches of a network of convolutions, not after a product that gives float
        return bool(constants.intersection(node.input)) or "Conv" not in {makers.get(name) for name in node.input}
    return node.op_type in _FLOAT
