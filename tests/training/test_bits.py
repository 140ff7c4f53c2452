"""Kernels as bits. The oracle is the same file before: every answer has to be the same to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from training.compression.bits import pack, unpacked
from training.compression.quantize import quantize
from training.data.parts import Part
from training.networks.binary import binarized, settled
from training.onnx.answers import answer
from training.onnx.emit import emit

pytestmark = pytest.mark.training
L = keras.layers


def network(width: int = 37) -> Any:
    """With kernels whose weights are no multiple of eight, behind a Flatten that moves rows, and normalization between."""
    return settled(
        binarized(
            keras.Sequential(
                [
                    keras.Input((12, 12, 1), name="image"),
                    L.Rescaling(1 / 255),
                    L.Conv2D(9, 3, activation="relu"),
                    L.Conv2D(width, 3, use_bias=False),
                    L.BatchNormalization(),
                    L.ReLU(),
                    L.MaxPooling2D(2),
                    L.Flatten(),
                    L.Dense(2 * width + 1, activation="relu"),
                    L.Dense(4, activation="softmax"),
                ]
            )
        )
    )


@pytest.fixture(scope="module")
def rows() -> Part:
    random = np.random.default_rng(0)
    return Part(random.integers(0, 256, (96, 12, 12, 1)).astype(np.uint8), random.integers(0, 4, 96))


@pytest.fixture(scope="module")
def files(rows: Part, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """fp32 and int8, not packed yet."""
    folder = tmp_path_factory.mktemp("bits")
    found = {"fp32": folder / "model.onnx", "int8": folder / "model.int8.onnx"}
    onnx.save(emit(network()), found["fp32"])
    quantize(found["fp32"], found["int8"], rows, rows)
    return found


def packed(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    pack(copy)
    return copy


@pytest.mark.parametrize(("variant", "times"), [("fp32", 12), ("int8", 2)])
def test_a_file_of_bits_is_many_times_smaller_and_answers_the_same_to_the_last_bit(
    variant: str, times: int, files: dict[str, Path], rows: Part, tmp_path: Path
) -> None:
    small = packed(files[variant], tmp_path)
    assert small.stat().st_size * times < files[variant].stat().st_size
    for batch in (1, 7, 96):
        for ours, before in zip(answer(small, rows.x, batch), answer(files[variant], rows.x, batch), strict=True):
            np.testing.assert_array_equal(ours, before)


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_what_is_run_is_the_graph_that_it_was(variant: str, files: dict[str, Path], tmp_path: Path) -> None:
    """The bits are unpacked when a session is opened, and never again."""
    operators = []
    for path in (files[variant], packed(files[variant], tmp_path)):
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / f"run-{len(operators)}.onnx")
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        operators.append([node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node])
    assert operators[1] == operators[0]


def test_any_other_file_stays_as_it_is(rows: Part, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for model in (keras.Sequential([keras.Input((12,)), L.Dense(90), L.Dense(80), L.Dense(4, activation="softmax")]), network(2)):
        onnx.save(emit(model), path)  # kernels of any value; and bits that would take more than they spare
        before = path.read_bytes()
        pack(path)
        assert path.read_bytes() == before


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", [np.float32, np.int8])
def test_the_channels_of_a_kernel_may_be_its_first_axis_or_its_last(axis: int, kind: type, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    size = random.integers(1, 100, (61, 1) if axis == 0 else (1, 53)).astype(kind)  # 61 · 53 bits do not fill their last byte
    kernel = np.where(random.random((61, 53)) < 0.5, size, -size)
    kernel[tuple([3, slice(None)][:: 1 if axis == 0 else -1])] = 0  # a channel of nothing
    node = onnx.helper.make_node("Cast", ["kernel"], ["out"], to=onnx.TensorProto.FLOAT)
    out = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [61, 53])
    graph = onnx.helper.make_graph([node], "kernel", [], [out], [onnx.numpy_helper.from_array(kernel, "kernel")])
    path = tmp_path / "kernel.onnx"
    onnx.save(onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)]), path)
    pack(path)
    assert "kernel/bits" in {constant.name for constant in onnx.load(path).graph.initializer}
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {})[0], kernel.astype(np.float32))


def test_one_size_for_all_weights_is_not_written_for_each_row(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4096,)), L.Dense(8), L.Dense(3, activation="softmax")])
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([np.where(kernel < 0, -0.5, 0.5), bias])
    path = tmp_path / "model.onnx"
    onnx.save(emit(model), path)
    pack(path)
    assert path.stat().st_size < 4096 * 8 / 8 + 4000


def test_what_is_packed_stands_for_the_numbers_that_it_is(files: dict[str, Path], tmp_path: Path) -> None:
    whole, small = (
        {constant.name: constant for constant in onnx.load(path).graph.initializer}
        for path in (files["fp32"], packed(files["fp32"], tmp_path))
    )
    counted = [
        sum(numbers for name, numbers in unpacked(constants).items() if constants[name].data_type == onnx.TensorProto.FLOAT)
        for constants in (whole, small)
    ]
    assert counted[0] == counted[1] == sum(int(np.prod(constant.dims)) for constant in whole.values() if constant.data_type == 1)
