"""Networks in an ONNX file, of whatever library: read, and written again with a door in front and the outputs that the server looks for."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import compose, helper, inliner, numpy_helper, version_converter

from models.manifest import Input
from monitoring.arrays import FloatArray
from monitoring.signals.energy import Head
from training.compression.bits import unpacked
from training.compression.floating import PRODUCTS
from training.errors import NetworkError
from training.importing.door import Door, Shape, softmax
from training.networks.arguments import first_sentence
from training.onnx.answers import answer
from training.onnx.emit import OPSET
from training.onnx.export import TOLERANCE
from training.onnx.names import EMBEDDING, PROBABILITIES, VALUE

#: int8 with a scale for each channel needs this operator set.
_OLDEST = 13
_FLOATS = {onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE}
#: Types of numbers in which a row may be taken.
_TAKEN = {*_FLOATS, onnx.TensorProto.UINT8, onnx.TensorProto.INT32, onnx.TensorProto.INT64}
#: What the domain of the usual operators is called.
_PLAIN = ("", "ai.onnx")
#: In front of the names of all that was in the file, so that ours are free.
_PREFIX = "network/"


class OnnxNetwork:
    """An ONNX model that others made: one input, and among its outputs one with some numbers for each row."""

    def __init__(self, path: Path, width: int = 1) -> None:
        """`width` is how many numbers are looked for in an answer. Raises NetworkError if it cannot be read or is of another kind."""
        self._path, self._width, self._output = path, width, ""
        try:
            self._model = _with_free_names(_modern(inliner.inline_local_functions(onnx.load(path))))
            _name_constants(self._model.graph)
            _leave_maps_away(self._model.graph)
            _flatten_biases(self._model.graph)
            onnx.checker.check_model(self._model)
        except Exception as error:  # protobuf, the checker and the converter raise a dozen kinds
            raise NetworkError(f"{path} cannot be read as an ONNX model: {first_sentence(error)}") from error
        graph = self._model.graph
        self._constants = {constant.name: constant for constant in graph.initializer}
        inputs = [one for one in graph.input if one.name not in self._constants]
        if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type not in _TAKEN:
            names = ", ".join(one.name.removeprefix(_PREFIX) for one in inputs)
            raise NetworkError(f"{path} has the inputs {names or 'none'}; expected a single one, of numbers")
        self._input = inputs[0]
        for one in (self._input, *graph.output):
            if one.type.tensor_type.shape.dim:
                one.type.tensor_type.shape.dim[0].dim_param = "batch"  # many export it as 1
        del graph.value_info[:]
        self._session = self._opened(self._model)

    @property
    def takes(self) -> Shape:
        """The shape of a row."""
        return tuple(size.dim_value or None for size in self._input.type.tensor_type.shape.dim[1:])

    @property
    def layers(self) -> tuple[tuple[str, str], ...]:
        """Its operators, in the order in which they come first, and how often there are."""
        return tuple((kind, str(times)) for kind, times in Counter(node.op_type for node in self._model.graph.node).items())

    @property
    def has_products(self) -> bool:
        """Whether something is multiplied with a constant kernel, which is where int8 pays."""
        return any(node.op_type in PRODUCTS and node.input[1] in self._constants for node in self._model.graph.node)

    @property
    def parameters(self) -> int:
        """The numbers in its constants, and in its trees, that are no whole numbers."""
        numbers = unpacked(self._constants)
        constants = sum(numbers[name] for name, one in self._constants.items() if one.data_type in _FLOATS)
        return constants + sum(len(part.floats) for node in self._model.graph.node for part in node.attribute)

    def ask(self, rows: FloatArray) -> FloatArray:
        """What it answers to rows as it takes them. The first time it is seen which of the outputs is the answer, and whether it answers
        each row by itself.
        """
        found = self._run(self._session, rows)
        if not self._output:
            self._output = self._answering(found, len(rows))
            self._check_each(found[self._output], rows)
        return _columns(found[self._output])

    def behind(self, door: Door, taken: Input, task: str, row: NDArray[Any]) -> onnx.ModelProto:
        """The model with the door around it, as the server wants it: `taken` comes in; probabilities or values, and the embedding, go out.
        `row` is one that it can be asked.
        """
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph, writer = model.graph, _Nodes()
        answered = PROBABILITIES if task == "classification" else VALUE
        embedded, values = self._embedding(door.rows(row[None]))
        writer.put("Identity", self._before(writer, door, taken.name, len(taken.shape)), to=self._input.name)
        first, writer.nodes = writer.nodes, []
        writer.put("Identity", self._after(writer, door), to=answered)
        writer.put("Cast", embedded, to=EMBEDDING, as_type=onnx.TensorProto.FLOAT)
        nodes = _needed([*first, *graph.node, *writer.nodes], answered, EMBEDDING)
        taken_up = {name for node in nodes for name in node.input}
        constants = [one for one in (*graph.initializer, *writer.constants) if one.name in taken_up]
        del graph.node[:], graph.output[:], graph.initializer[:]
        graph.node.extend(nodes)
        graph.initializer.extend(constants)
        if not any(one.domain in _PLAIN for one in model.opset_import):  # as where all is of trees
            model.opset_import.append(helper.make_opsetid("", OPSET))
        graph.input.remove(next(one for one in graph.input if one.name == self._input.name))
        graph.input.insert(0, helper.make_tensor_value_info(taken.name, onnx.TensorProto.FLOAT, ["batch", *taken.shape[1:]]))
        widths = {answered: 2 if "pair" in door.ending else self._width, EMBEDDING: values.shape[1]}
        graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", width]) for name, width in widths.items())
        return model

    def write(self, path: Path, door: Door, taken: Input, task: str, x: NDArray[Any]) -> None:
        """Write it behind its door. Raises NetworkError if what was written answers otherwise than the network itself to the rows `x`."""
        onnx.save(self.behind(door, taken, task, x[0]), path)
        expected, found = door.answers(door.given(self.ask, x)), answer(path, x)[0]
        difference = float(np.abs(found - expected).max()) / max(1.0, float(np.abs(expected).max()))
        if not difference < TOLERANCE:
            raise NetworkError(f"{path.name} differs from {self._path} by {difference:.1e}; report this network, it is a fault of Veleta")

    def head(self, path: Path, x: NDArray[Any]) -> Head | None:
        """The last layer of what was written at `path`, if its softmax is what is answered to the rows `x`, as is computed."""
        product = self._last_product()
        if product is None:
            return None
        kernel = numpy_helper.to_array(self._constants[product.input[1]])
        turned = any(one.name == "transB" and one.i for one in product.attribute)
        weights, bias = (kernel.T if turned else kernel).astype(np.float32), self._bias(product)
        outputs, embeddings = answer(path, x)
        if weights.shape != (embeddings.shape[1], outputs.shape[1]) or (bias is not None and bias.shape != weights.shape[1:]):
            return None
        head = Head(weights, np.zeros(weights.shape[1], np.float32) if bias is None else bias)
        return head if np.abs(softmax(embeddings @ head.weights + head.bias) - outputs).max() < TOLERANCE else None

    def _opened(self, model: onnx.ModelProto) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a dozen kinds without a common one
            raise NetworkError(f"{self._path} cannot be run by ONNX Runtime: {first_sentence(error)}") from error

    def _run(self, session: Any, rows: FloatArray) -> dict[str, Any]:
        kind = helper.tensor_dtype_to_np_dtype(self._input.type.tensor_type.elem_type)
        try:
            found = session.run(None, {self._input.name: rows.astype(kind)})
        except Exception as error:
            raise NetworkError(
                f"{self._path} cannot answer {len(rows)} rows at once ({first_sentence(error)}); export it with a batch of any size"
            ) from error
        return {output.name: value for output, value in zip(session.get_outputs(), found, strict=True)}

    def _answering(self, found: dict[str, Any], rows: int) -> str:
        """The output that has the numbers looked for: rather probabilities than logits, rather as many as classes than one for two."""
        fits = {
            name: (_columns(value).shape[1] == self._width, np.allclose(_columns(value).sum(axis=1), 1, atol=1e-2))
            for name, value in found.items()
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.shape[:1] == (rows,) and value.ndim <= 2
            if _columns(value).shape[1] in (self._width, 1)
        }
        if not fits:
            told = ", ".join(f"{name.removeprefix(_PREFIX)} {_told(value)}" for name, value in found.items())
            raise NetworkError(f"{self._path} has no output with {self._width} numbers for each row; it has {told}")
        return max(fits, key=lambda name: fits[name])

    def _check_each(self, together: NDArray[Any], rows: FloatArray) -> None:
        alone = np.concatenate([self._run(self._session, rows[place : place + 1])[self._output] for place in range(min(len(rows), 4))])
        if not np.allclose(alone, together[: len(alone)], atol=1e-3, rtol=1e-3):
            raise NetworkError(f"{self._path} answers a row otherwise when it comes with others; export it for inference")

    def _embedding(self, rows: FloatArray) -> tuple[str, NDArray[Any]]:
        """What goes into the last product with a constant, if that is a row of numbers, and its values; otherwise the answer itself."""
        product = self._last_product()
        for name in (*(() if product is None else (product.input[0],)), self._output):
            asked = onnx.ModelProto()
            asked.CopyFrom(self._model)
            del asked.graph.output[:]
            asked.graph.output.append(onnx.ValueInfoProto(name=name))
            values = self._run(self._opened(asked), rows)[name]
            if values.ndim == 2 and len(values) == len(rows):
                return name, values
        return name, _columns(values)

    def _last_product(self) -> Any | None:
        """The last node before the answer that multiplies with a constant matrix."""
        needed = {self._output}
        for node in reversed(self._model.graph.node):
            if needed.isdisjoint(node.output):
                continue
            if node.op_type in ("Gemm", "MatMul") and node.input[1] in self._constants:
                return node
            needed.update(node.input)
        return None

    def _bias(self, product: Any) -> FloatArray | None:
        """What is added to a product: its third input, or by the node that takes it."""
        after = next((node for node in self._model.graph.node if node.op_type == "Add" and product.output[0] in node.input), None)
        names = (*product.input[2:], *(after.input if after else ()))
        found = next((self._constants[name] for name in names if name in self._constants), None)
        return None if found is None else numpy_helper.to_array(found).astype(np.float32).reshape(-1)

    def _before(self, writer: _Nodes, door: Door, name: str, axes: int) -> str:
        factor, offset = (np.full([1] * axes, number, np.float32) for number in door.scale)  # a scalar takes thirty times as long
        if factor != 1:
            name = writer.put("Mul", name, writer.constant("factor", factor))
        if offset:
            name = writer.put("Add", name, writer.constant("offset", offset))
        if door.axes is not None:
            name = writer.put("Transpose", name, perm=[0, *(axis + 1 for axis in door.axes)])
        name = writer.put("Reshape", name, writer.constant("shape", np.array([-1, *door.shape])))
        return writer.put("Cast", name, as_type=self._input.type.tensor_type.elem_type)

    def _after(self, writer: _Nodes, door: Door) -> str:
        name = writer.put("Cast", self._output, as_type=onnx.TensorProto.FLOAT)
        name = writer.put("Reshape", name, writer.constant("columns", np.array([-1, 1 if "pair" in door.ending else self._width])))
        if door.ending == "softmax":
            return writer.put("Softmax", name, axis=1)
        if door.ending == "sigmoid pair":
            name = writer.put("Sigmoid", name)
        if "pair" in door.ending:
            other = writer.put("Sub", writer.constant("one", np.float32(1)), name)
            return writer.put("Concat", other, name, axis=1)
        return name


class _Nodes:
    """Nodes and constants that are put around a graph."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._numbers = itertools.count()

    def put(self, kind: str, *inputs: str, to: str | None = None, as_type: int | None = None, **attributes: Any) -> str:
        """Add a node; returns the name of what it gives."""
        given = f"door/{kind}_{next(self._numbers)}"
        attributes |= {} if as_type is None else {"to": as_type}
        self.nodes.append(helper.make_node(kind, list(inputs), [to or given], given, **attributes))
        return to or given

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"door/{name}"))
        return f"door/{name}"


def _needed(nodes: list[Any], *outputs: str) -> list[Any]:
    """Those that lead to the outputs, in their order."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.output):
            kept.append(node)
            wanted.update(node.input, *(_taken_inside(part.g) for part in node.attribute if part.HasField("g")))
    return kept[::-1]


def _taken_inside(graph: Any) -> set[str]:
    """What the nodes of a graph within a node may take from around it."""
    return {name for node in graph.node for name in node.input}.union(
        *(_taken_inside(part.g) for node in graph.node for part in node.attribute if part.HasField("g"))
    )


def _modern(model: onnx.ModelProto) -> onnx.ModelProto:
    version = next((one.version for one in model.opset_import if one.domain in _PLAIN), OPSET)
    return version_converter.convert_version(model, OPSET) if version < _OLDEST else model


def _with_free_names(model: onnx.ModelProto) -> onnx.ModelProto:
    """With a name for every node, and a prefix before all of them."""
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    return compose.add_prefix(model, _PREFIX)


def _name_constants(graph: Any) -> None:
    """What some write as a node that gives a constant stands among the constants, as what others write does."""
    for node in [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]:
        constant = graph.initializer.add()
        constant.CopyFrom(node.attribute[0].t)
        constant.name = node.output[0]
        graph.node.remove(node)


def _leave_maps_away(graph: Any) -> None:
    """In the place of a list of {label: probability}, which skl2onnx makes by default, stands the tensor that it is made of."""
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        graph.node.remove(node)
        for output in graph.output:
            if output.name == node.output[0]:
                output.CopyFrom(helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, ["batch", None]))


def _flatten_biases(graph: Any) -> None:
    """Biases (1, n) become (n,), as scikit-learn's are not: ONNX Runtime's quantizer fails on them."""
    products = {node.output[0] for node in graph.node if node.op_type == "MatMul"}
    added = {name for node in graph.node if node.op_type == "Add" and not products.isdisjoint(node.input) for name in node.input}
    used = Counter(name for node in graph.node for name in node.input)
    for constant in graph.initializer:
        if constant.name in added and used[constant.name] == 1 and len(constant.dims) == 2 and constant.dims[0] == 1:
            del constant.dims[0]


def _columns(value: NDArray[Any]) -> NDArray[np.float32]:
    """Numbers (n, …) or (n,) as (n, …) float32."""
    return np.asarray(value[:, None] if value.ndim == 1 else value, dtype=np.float32)


def _told(value: Any) -> str:
    """What an output is, in words."""
    if isinstance(value, np.ndarray):
        return f"of the shape {' × '.join(map(str, value.shape))}, {value.dtype}"
    return "which is no tensor"
