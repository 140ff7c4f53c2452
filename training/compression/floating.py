"""Which nodes of a graph stay float in its int8 form, because eight bits would cost more than they give.

int8 pays in the large products with a kernel. What moves or compares its results on the way to the next one may be int8 too, so that a
network of convolutions is int8 from end to end. The rest stays float: 256 steps are few for it, or turning it into int8 and back
takes longer than it does.

A convolution of a single channel, as of a grey picture, has few products for each value. Time of whole networks with it in float by that
in int8, one row and 32 (AMD EPYC of the fourth generation, onnxruntime 1.31, 28 × 28 pixels): 0.93 and 0.93 (32 filters of 3 × 3),
0.91 and 0.94 (5 × 5), 0.71 and 0.59 (8 filters). Of three channels it depends: 0.83 to 1.3 and 0.91 to 1.5; of four 1.15 and 1.20.
"""

from __future__ import annotations

from typing import Any

#: Softmax: confidence is watched, and inside attention most weights are far below the 1/255 that is the first step above 0.
#: Normalizations: they divide by a deviation that is read from the row itself, which is small where a row is flat.
#: Gather: rows of an embedding table, whose columns differ in size; there is no product in it.
#: Sigmoid, Mul and what else is not in this list but smooth: gates, scales and shifts of columns that differ in size by far.
_FLOAT = {"Softmax", "LayerNormalization", "InstanceNormalization", "Gather", "Sigmoid", "Mul"}


#: Products with a kernel, which is where int8 pays.
PRODUCTS = {"Conv", "Gemm", "MatMul"}


def floating(graph: Any) -> list[str]:
    """The names of the nodes of an ONNX graph that stay float."""
    constants = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    makers = {output: node.op_type for node in graph.node for output in node.output}
    answering = _answering(graph)
    return [node.name for node in graph.node if node.name in answering or _stays_float(node, constants, makers)]


def _answering(graph: Any) -> set[str]:
    """The nodes between the last products and the answer, the first output: what they give is read by people, with more than 256 steps."""
    found, needed = set(), {graph.output[0].name}
    for node in reversed(graph.node):
        if node.op_type not in PRODUCTS and not needed.isdisjoint(node.output):
            found.add(node.name)
            needed.update(node.input)
    return found


def _stays_float(node: Any, constants: dict[str, tuple[int, ...]], makers: dict[str, str]) -> bool:
    if node.op_type == "Conv":
        return constants.get(node.input[1], (0, 0))[1] == 1 and all(one.i == 1 for one in node.attribute if one.name == "group")
    if node.op_type == "MatMul":  # in attention both sides are activations; the scores go into an exponential
        return not constants.keys() & set(node.input)
    if node.op_type == "Add":  # int8 where it joins the branches of a network of convolutions, not after a product that gives float
        return bool(constants.keys() & set(node.input)) or "Conv" not in {makers.get(name) for name in node.input}
    return node.op_type in _FLOAT
